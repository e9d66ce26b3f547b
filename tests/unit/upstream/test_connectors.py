"""Ways out: family, pinned addresses, and SOCKS as it looks on the wire.

The same through real proxies: tests/integration/test_proxies.py.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from connecting import connected
from entrepot.config import MirrorSettings, TimeoutSettings
from entrepot.errors import MirrorUnreachable
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.upstream.connectors import SocksConnector, connector
from entrepot.upstream.resolver import PinnedResolver
from entrepot.upstream.routes import Route
from entrepot.upstream.transport import Transport
from fakes.images import image
from fakes.registry import FakeRegistry

PAUSE, TAG = RepositoryName("pause"), Tag("3.1")
HOST_UNREACHABLE = 4


@dataclass(slots=True)
class Socks:
    """A SOCKS5 server that leads everybody to `port`, whatever they asked for."""

    port: int
    reply: int | None = 0
    login: tuple[bytes, bytes] | None = None
    url: str = ""
    asked: list[tuple[int, str]] = field(default_factory=list)
    _busy: set[asyncio.Task[None] | None] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._busy.add(asyncio.current_task())
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._busy.discard(asyncio.current_task())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        if self.reply is None:
            await reader.read()  # and says nothing
            return
        writer.write(b"\5\2" if self.login else b"\5\0")
        if self.login:
            user = await reader.readexactly((await reader.readexactly(2))[1])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            writer.write(b"\1\0" if (user, password) == self.login else b"\1\1")
        kind = (await reader.readexactly(4))[3]
        length = (await reader.readexactly(1))[0] if kind == 3 else 4
        name = await reader.readexactly(length)
        await reader.readexactly(2)
        self.asked.append((kind, name.decode(errors="replace")))
        writer.write(bytes([5, self.reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        if self.reply == 0:
            away, back = await asyncio.open_connection("127.0.0.1", self.port)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, back))
                both.create_task(_pump(away, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def socks(
    port: int, *, reply: int | None = 0, login: tuple[bytes, bytes] | None = None
) -> AsyncIterator[Socks]:
    proxy = Socks(port, reply, login)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*(task for task in proxy._busy if task is not None))


async def test_a_proxy_that_listens_at_one_of_its_addresses_is_found() -> None:
    """As localhost does, which is ::1 first: most proxies listen at 127.0.0.1 only."""
    tls = ssl.create_default_context()
    async with FakeRegistry() as registry, socks(registry.port) as proxy:
        registry.put_image("pause", "3.1", image(1))
        addresses = PinnedResolver(["127.0.0.2", "127.0.0.1"])
        url = URL(f"socks5://proxy.example:{URL('//' + proxy.url).port}")
        pool = SocksConnector(url, socket.AF_UNSPEC, tls, addresses)
        async with (
            aiohttp.ClientSession(connector=pool) as session,
            session.get("http://registry.example:5000/v2/") as answer,
        ):
            assert answer.status == 200


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_a_socks_proxy_is_given_the_name_and_not_an_address(scheme: str) -> None:
    async with FakeRegistry() as registry, socks(registry.port) as proxy:
        digest = registry.put_image("pause", "3.1", image(1))
        url = f"{scheme}://{proxy.url}"
        async with connected("http://registry.example:5000", proxy=url) as mirror:
            assert (await mirror.get_manifest(PAUSE, TAG)).digest == digest
            await mirror.get_manifest(PAUSE, TAG)
        assert proxy.asked == [(3, "registry.example")]
        assert registry.requests[0].headers["Host"] == "registry.example:5000"


async def test_tls_goes_through_to_the_registry(tmp_path: Path) -> None:
    async with FakeRegistry(tls=True) as registry, socks(registry.port) as proxy:
        digest = registry.put_image("pause", "3.1", image(1))
        ca = str(registry.write_ca(tmp_path / "ca.pem"))
        url = f"socks5://{proxy.url}"
        async with connected("https://localhost", proxy=url, ca=ca) as mirror:
            assert (await mirror.get_manifest(PAUSE, TAG)).digest == digest
        async with connected("https://registry.example", proxy=url, ca=ca) as mirror:
            with pytest.raises(MirrorUnreachable, match=r"certificate of registry\.example not"):
                await mirror.get_manifest(PAUSE, TAG)
        assert [name for _, name in proxy.asked] == ["localhost", "registry.example"]


async def test_plain_http_where_tls_was_expected_behind_the_proxy() -> None:
    async with (
        FakeRegistry() as registry,
        socks(registry.port) as proxy,
        connected("https://registry.example", proxy=f"socks5://{proxy.url}") as mirror,
    ):
        with pytest.raises(MirrorUnreachable, match=r"no TLS with registry\.example"):
            await mirror.get_manifest(PAUSE, TAG)


async def test_a_login_is_given_and_never_told() -> None:
    async with FakeRegistry() as registry, socks(registry.port, login=(b"me", b"s3cret")) as proxy:
        registry.put_image("pause", "3.1", image(1))
        login = {"username": "me", "password": "s3cret"}
        url = f"socks5://{proxy.url}"
        async with connected(
            "http://registry.example", proxy=url, proxy_credentials=login
        ) as mirror:
            await mirror.head_manifest(PAUSE, TAG)
        async with connected("http://registry.example", proxy=f"socks5://u:wr0ng@{proxy.url}") as m:
            with pytest.raises(MirrorUnreachable, match="the proxy does not reach") as caught:
                await m.head_manifest(PAUSE, TAG)
        assert "wr0ng" not in str(caught.value)


async def test_what_the_proxy_says_is_handed_on() -> None:
    async with (
        socks(0, reply=HOST_UNREACHABLE) as proxy,
        connected("http://registry.example", proxy=f"socks5://{proxy.url}") as mirror,
    ):
        with pytest.raises(MirrorUnreachable, match=r"does not reach registry\.example: Host unr"):
            await mirror.head_manifest(PAUSE, TAG)


async def test_a_proxy_that_is_not_there() -> None:
    async with socks(0) as proxy:
        gone = proxy.url
    async with connected("http://registry.example", proxy=f"socks5://{gone}") as mirror:
        with pytest.raises(MirrorUnreachable, match="the proxy cannot be reached: refused"):
            await mirror.head_manifest(PAUSE, TAG)
    async with connected("http://registry.example", proxy="socks5://no-such..invalid:1") as mirror:
        with pytest.raises(MirrorUnreachable, match="no such host: that of the proxy"):
            await mirror.head_manifest(PAUSE, TAG)


async def test_a_proxy_that_says_nothing_is_given_up_in_the_time_for_connecting() -> None:
    async with socks(0, reply=None) as proxy:
        settings = MirrorSettings(url="http://registry.example", proxy=f"socks5://{proxy.url}")
        transport = Transport(settings, TimeoutSettings(connect=0.05))
        await transport.start()
        with pytest.raises(MirrorUnreachable, match=r"did not reach registry\.example: timed out"):
            await transport.send("GET", URL("http://registry.example/v2/"), {})
        await transport.aclose()


async def test_the_environments_socks_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeRegistry() as registry, socks(registry.port) as proxy:
        registry.put_image("pause", "3.1", image(1))
        monkeypatch.setenv("ALL_PROXY", f"socks5h://{proxy.url}")
        async with connected("http://registry.example") as mirror:
            await mirror.head_manifest(PAUSE, TAG)
        async with connected(registry.url, proxy="direct") as mirror:
            await mirror.head_manifest(PAUSE, TAG)
        assert len(proxy.asked) == 1


async def test_pinned_addresses_keep_the_name_for_tls_and_host(tmp_path: Path) -> None:
    async with FakeRegistry(tls=True) as registry:
        registry.put_image("pause", "3.1", image(1))
        ca, here = str(registry.write_ca(tmp_path / "ca.pem")), ["127.0.0.1"]
        async with connected(f"https://localhost:{registry.port}", ca=ca, addresses=here) as mirror:
            await mirror.head_manifest(PAUSE, TAG)
        assert registry.requests[0].headers["Host"] == f"localhost:{registry.port}"
        async with connected(
            f"https://registry.example:{registry.port}", ca=ca, addresses=here
        ) as mirror:
            with pytest.raises(MirrorUnreachable, match=r"certificate of registry\.example"):
                await mirror.head_manifest(PAUSE, TAG)


async def test_a_family_leaves_the_other_out() -> None:
    async with FakeRegistry() as registry:
        registry.put_image("pause", "3.1", image(1))
        url = f"http://localhost:{registry.port}"
        async with connected(url, family="ipv4") as mirror:
            await mirror.head_manifest(PAUSE, TAG)
        async with connected(url, family="ipv6") as mirror:
            with pytest.raises(MirrorUnreachable):
                await mirror.head_manifest(PAUSE, TAG)


@pytest.mark.parametrize(("family", "host"), [("prefer-ipv4", "127.0.0.1"), ("prefer-ipv6", "::1")])
async def test_a_preferred_family_is_asked_first_and_the_other_when_it_is_away(
    family: str, host: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as four:
        port = four.getsockname()[1]
        with socket.create_server(("::1", port), family=socket.AF_INET6) as six:
            servers = {"127.0.0.1": four, "::1": six}
            route = Route(family=family, addresses=("127.0.0.1", "::1"))
            wanted = servers.pop(host)
            [other] = servers.values()
            async with aiohttp.ClientSession(
                connector=connector(route, None, ssl.create_default_context())
            ) as session:
                url = f"http://registry.example:{port}/"
                await _met(session, url, wanted)
                wanted.close()
                await _met(session, url, other)


async def _met(session: aiohttp.ClientSession, url: str, server: socket.socket) -> None:
    """Return when `server`, and nobody else, has taken the connection of a request."""
    server.setblocking(False)

    async def hang_up() -> None:
        taken, _ = await asyncio.get_running_loop().sock_accept(server)
        taken.close()

    with pytest.raises(aiohttp.ClientError):  # a GET would be tried again
        await asyncio.gather(session.post(url), hang_up())
