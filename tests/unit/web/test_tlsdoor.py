"""HTTPS on a listener: handshakes, certificates that change, and whoever knocks otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from fakes.images import blob
from fakes.registry import FakeRegistry
from unit.web.serving import NS, Serving, registry_settings, serving, until
from wire.client import Answer, Client, ask

UNREACHABLE = "http://127.0.0.1:9"
QUICK = {"head": "300ms"}


def certificate(directory: Path, authority: trustme.CA, name: str = "localhost") -> dict[str, str]:
    one = authority.issue_cert("127.0.0.1", name)
    files = {"certificate": directory / "cert.pem", "key": directory / "key.pem"}
    files["certificate"].write_bytes(b"".join(part.bytes() for part in one.cert_chain_pems))
    files["key"].write_bytes(one.private_key_pem.bytes())
    return {key: str(path) for key, path in files.items()}


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def over_tls(
    address: str, context: ssl.SSLContext, method: str, target: str, *headers: tuple[str, str]
) -> Answer:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context, limit=1 << 22)
    try:
        return await Client(reader, writer, address).ask(method, target, *headers)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


def shown(address: str) -> bytes:
    """The certificate a client is shown."""
    host, _, port = address.rpartition(":")
    return ssl.get_server_certificate((host, int(port))).encode()


def listening(tls: dict[str, str]) -> list[dict[str, object]]:
    return [{"address": "127.0.0.1:0", "tls": tls}]


async def refused(served: Serving, reason: str) -> float:
    return (await served.metrics()).get(
        f'entrepot_refused_connections_total{{reason="{reason}"}}', 0
    )


async def test_a_pull_over_https(tmp_path: Path) -> None:
    authority, data = trustme.CA(), blob(5_000_000)
    async with FakeRegistry() as mirror:
        digest = mirror.put_blob("pause", data)
        tls = certificate(tmp_path, authority)
        async with serving(tmp_path, mirror, listen=listening(tls)) as served:
            for _ in range(2):
                got = await over_tls(
                    served.address, trusting(authority), "GET", f"/v2/pause/blobs/{digest}{NS}"
                )
                assert (got.status, got.body == data) == (200, True)
            page = await over_tls(served.address, trusting(authority), "GET", "/")
            assert f'[host."https://{served.address}"]'.encode() in page.body
            await until(lambda: len(served.server.crowd) == 0)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_old_tls_is_refused(version: ssl.TLSVersion, tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = certificate(tmp_path, authority)
    context = trusting(authority)
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    async with serving(tmp_path, UNREACHABLE, listen=listening(tls)) as served:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await over_tls(served.address, context, "GET", "/v2/")
        assert (await over_tls(served.address, trusting(authority), "GET", "/v2/")).status == 200
        assert len(served.server.crowd) <= 1


async def test_plain_http_hears_what_the_port_speaks(tmp_path: Path) -> None:
    tls = certificate(tmp_path, trustme.CA())
    async with serving(tmp_path, UNREACHABLE, listen=listening(tls)) as served:
        got = await ask(served.address, "GET", "/v2/")
        assert (got.status, got.header("Content-Type")) == (400, "application/json")
        assert "https://" in json.loads(got.body)["errors"][0]["message"]
        assert await refused(served, "malformed") == 1
        await until(lambda: len(served.server.crowd) == 0)


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
async def test_a_handshake_that_does_not_come_is_given_up(
    sent: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrepot.web.tlsdoor._HANDSHAKE_S", 0.3)
    tls = certificate(tmp_path, trustme.CA())
    async with serving(tmp_path, UNREACHABLE, listen=listening(tls), clients=QUICK) as served:
        host, _, port = served.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        await until(lambda: len(served.server.crowd) == 1)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
        assert await refused(served, "no_handshake") == 1
        assert len(served.server.crowd) == 0


async def test_those_in_the_handshake_count_as_connected(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = certificate(tmp_path, authority)
    clients = {"connections": 2}
    async with serving(tmp_path, UNREACHABLE, listen=listening(tls), clients=clients) as served:
        host, _, port = served.address.rpartition(":")
        waiting = [socket.create_connection((host, int(port))) for _ in range(2)]
        await until(lambda: len(served.server.crowd) == 2)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await over_tls(served.address, trusting(authority), "GET", "/v2/")
        for one in waiting:
            one.close()
        await until(lambda: len(served.server.crowd) == 0)
        assert (await over_tls(served.address, trusting(authority), "GET", "/v2/")).status == 200


async def test_a_renewed_certificate_is_shown_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrepot.web.renewed.LOOK_EVERY_S", 0.05)
    authority = trustme.CA()
    tls = certificate(tmp_path, authority)
    async with serving(tmp_path, UNREACHABLE, listen=listening(tls)) as served:
        first = await asyncio.to_thread(shown, served.address)
        # Between the two files it does not fit, and the old one stays.
        (tmp_path / "key.pem").write_bytes(authority.issue_cert("x").private_key_pem.bytes())
        await asyncio.sleep(0.2)
        assert await asyncio.to_thread(shown, served.address) == first
        certificate(tmp_path, authority, "mirror.lan")
        async with asyncio.timeout(10):
            while await asyncio.to_thread(shown, served.address) == first:
                await asyncio.sleep(0.05)
        assert (await over_tls(served.address, trusting(authority), "GET", "/v2/")).status == 200


@pytest.mark.rule("P27")
async def test_a_client_certificate_is_as_good_as_a_password(tmp_path: Path) -> None:
    authority, strangers = trustme.CA(), trustme.CA()
    tls = certificate(tmp_path, authority)
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    async with FakeRegistry() as mine:
        digest = mine.put_blob("app", b"private")
        told = {
            "listen": [*listening({**tls, "client_ca": str(tmp_path / "ca.pem")}), "127.0.0.1:0"],
            "registries": {"mine.example": registry_settings(mine, private=True)},
        }
        target = f"/v2/app/blobs/{digest}?ns=mine.example"
        async with serving(tmp_path, **told) as served:
            known = trusting(authority)
            authority.issue_cert("node").configure_cert(known)
            assert (await over_tls(served.address, known, "GET", target)).body == b"private"
            unknown = trusting(authority)
            strangers.issue_cert("node").configure_cert(unknown)
            for context in (unknown, trusting(authority)):
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    await over_tls(served.address, context, "GET", target)
            assert (await ask(served.server.addresses[1], "GET", target)).status == 401


async def test_an_address_in_use_fails_the_start(tmp_path: Path) -> None:
    tls = certificate(tmp_path, trustme.CA())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = [{"address": f"127.0.0.1:{taken.getsockname()[1]}", "tls": tls}]
        with pytest.raises(OSError, match="cannot listen"):
            async with serving(tmp_path, UNREACHABLE, listen=listen):
                pytest.fail("it started all the same")
