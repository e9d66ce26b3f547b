"""The connection pool of one mirror."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from yarl import URL

from connecting import connected, replying
from entrepot.config import MirrorSettings, TimeoutSettings
from entrepot.errors import MirrorUnreachable
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.upstream.transport import Transport
from fakes.images import image
from fakes.registry import FakeRegistry

PAUSE, TAG = RepositoryName("pause"), Tag("3.1")


async def test_a_ca_of_ones_own_is_trusted(tmp_path: Path) -> None:
    async with FakeRegistry(tls=True) as registry:
        digest = registry.put_image("pause", "3.1", image(1))
        ca = registry.write_ca(tmp_path / "ca.pem")
        async with connected(registry.url, ca=str(ca)) as mirror:
            assert (await mirror.get_manifest(PAUSE, TAG)).digest == digest


async def test_insecure_asks_for_no_certificate() -> None:
    async with FakeRegistry(tls=True) as registry:
        digest = registry.put_image("pause", "3.1", image(1))
        async with connected(registry.url, insecure=True) as mirror:
            assert (await mirror.get_manifest(PAUSE, TAG)).digest == digest


async def test_requests_go_through_the_proxy_of_the_mirror() -> None:
    """A proxy is asked for the whole url; this one answers in the registry's place."""
    reply = b"HTTP/1.1 204 No Content\r\n\r\n"
    async with replying(reply) as url:
        settings = MirrorSettings(url="http://registry.example", proxy=url)
        transport = Transport(settings, TimeoutSettings())
        await transport.start()
        try:
            response = await transport.send("GET", URL("http://registry.example/v2/"), {})
            assert response.status == 204
            response.close()
        finally:
            await transport.aclose()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_a_login_is_not_taken_for_the_registry(scheme: str) -> None:
    reply = b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n"
    url = f"{scheme}://registry.example"
    async with replying(reply) as proxy, connected(url, proxy=proxy) as mirror:
        with pytest.raises(MirrorUnreachable, match=r"the proxy .*answered 407"):
            await mirror.head_manifest(PAUSE, TAG)


@pytest.mark.rule("X-7")
async def test_the_environments_proxy_is_used_unless_exempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with replying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as url:
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with FakeRegistry() as registry, connected(registry.url) as direct:
            registry.put_image("pause", "3.1", image(1))
            await direct.head_manifest(PAUSE, TAG)
        async with connected("http://registry.example") as proxied:
            await proxied.head_manifest(PAUSE, TAG)


async def test_a_netrc_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.put_image("pause", "3.1", image(1))
        await mirror.head_manifest(PAUSE, TAG)
        assert "Authorization" not in registry.requests[0].headers


async def test_connections_are_not_limited_in_number() -> None:
    async with (
        FakeRegistry(accept_silently=True) as registry,
        connected(registry.url, limits={"concurrency": 120}) as mirror,
        asyncio.TaskGroup() as group,
    ):
        asking = [
            group.create_task(mirror.list_tags(RepositoryName(f"r{number}")))
            for number in range(120)
        ]
        await registry.until_asked(count=120)
        for one in asking:
            one.cancel()


async def test_closing_twice_or_unopened_is_harmless() -> None:
    transport = Transport(MirrorSettings(url="http://127.0.0.1:9"), TimeoutSettings())
    await transport.aclose()
    with pytest.raises(MirrorUnreachable, match="closed"):
        await transport.send("GET", URL("http://127.0.0.1:9/v2/"), {})
    await transport.start()
    await transport.aclose()
    await transport.aclose()
