"""Ways out through real proxies: microsocks and tinyproxy.

The names here end in .test. Nobody knows them (RFC 6761), and the guard of `tests/conftest.py`
refuses to look them up in this process; only the proxies have them, in an /etc/hosts that is bound
over the real one in a mount namespace of theirs. What arrives has been looked up by the proxy.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from connecting import connected
from entrepot.errors import AttemptError, MirrorUnreachable
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.upstream.mirror import MirrorClient
from fakes.images import blob, image
from fakes.registry import FakeRegistry
from programs.httpproxy import HttpProxy
from programs.socks import SocksProxy

pytestmark = pytest.mark.integration

PAUSE, TAG = RepositoryName("pause"), Tag("3.1")
NAMES = {"registry.test": "127.0.0.1", "cdn.test": "127.0.0.1", "localhost": "127.0.0.1"}
DATA = blob(3_000_000)

Proxy = type[SocksProxy] | type[HttpProxy]
BOTH = pytest.mark.parametrize("kind", [SocksProxy, HttpProxy])


class Named(FakeRegistry):
    """A registry that calls itself by a name; it listens on 127.0.0.1 all the same."""

    name = "registry.test"

    @property
    def host(self) -> str:
        return f"{self.name}:{self.port}"


class Cdn(Named):
    name = "cdn.test"


async def fetched(mirror: MirrorClient, registry: FakeRegistry) -> None:
    """A manifest and a blob come, every byte of them."""
    digest = registry.put_image("pause", "3.1", image(1))
    assert (await mirror.get_manifest(PAUSE, TAG)).digest == digest
    wanted = registry.put_blob("pause", DATA)
    stream = await mirror.open_blob(PAUSE, wanted)
    got = b""
    while piece := await stream.read():
        got += piece
    await stream.aclose()
    assert got == DATA


def test_the_names_are_unknown_here() -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("registry.test", 80)


@BOTH
async def test_a_manifest_and_a_blob_by_a_name_only_the_proxy_knows(
    kind: Proxy, tmp_path: Path
) -> None:
    async with Named() as registry, kind(tmp_path, NAMES) as proxy:
        async with connected(registry.url) as direct:
            with pytest.raises(MirrorUnreachable, match=r"no such host: registry\.test"):
                await direct.head_manifest(PAUSE, TAG)
        async with connected(registry.url, proxy=proxy.url) as mirror:
            await fetched(mirror, registry)
        assert proxy.led_to() == {"registry.test"}
        assert {one.headers["Host"] for one in registry.requests} == {registry.host}


@BOTH
async def test_tls_is_spoken_with_the_registry_itself(kind: Proxy, tmp_path: Path) -> None:
    async with FakeRegistry(tls=True) as registry, kind(tmp_path, NAMES) as proxy:
        ca = str(registry.write_ca(tmp_path / "ca.pem"))
        url = f"https://localhost:{registry.port}"
        async with connected(url, proxy=proxy.url, ca=ca) as mirror:
            await fetched(mirror, registry)
        async with connected(url, proxy=proxy.url) as mirror:
            with pytest.raises(MirrorUnreachable, match="certificate of localhost"):
                await mirror.head_manifest(PAUSE, TAG)
        assert proxy.led_to() == {"localhost"}


@BOTH
async def test_a_login_from_the_environment(
    kind: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = {"username_env": "PROXY_USER", "password_env": "PROXY_PASSWORD"}
    monkeypatch.setenv("PROXY_USER", "me")
    async with Named() as registry, kind(tmp_path, NAMES, ("me", "s3cret")) as proxy:
        monkeypatch.setenv("PROXY_PASSWORD", "s3cret")
        async with connected(registry.url, proxy=proxy.url, proxy_credentials=login) as mirror:
            await fetched(mirror, registry)
        monkeypatch.setenv("PROXY_PASSWORD", "wr0ng")
        async with connected(registry.url, proxy=proxy.url, proxy_credentials=login) as mirror:
            # tinyproxy says 401 where 407 would be right, and so speaks for the registry.
            told = "the proxy does not reach" if kind is SocksProxy else "answered 401"
            with pytest.raises(AttemptError, match=told) as caught:
                await (await mirror.open_blob(PAUSE, registry.put_blob("pause", DATA))).aclose()
        assert "wr0ng" not in f"{caught.value!r} {mirror!r}"


@BOTH
async def test_a_name_the_proxy_does_not_know_either(kind: Proxy, tmp_path: Path) -> None:
    async with (
        kind(tmp_path, NAMES) as proxy,
        connected("https://elsewhere.test", proxy=proxy.url) as mirror,
    ):
        with pytest.raises(MirrorUnreachable, match=r"elsewhere\.test"):
            await mirror.head_manifest(PAUSE, TAG)


@BOTH
async def test_the_registry_direct_and_its_blob_store_through_the_proxy(
    kind: Proxy, tmp_path: Path
) -> None:
    async with (
        Cdn() as cdn,
        FakeRegistry(redirect_blobs_to=cdn) as registry,
        kind(tmp_path, NAMES) as proxy,
        connected(registry.url, redirects=[{"host": "*.test", "proxy": proxy.url}]) as mirror,
    ):
        await fetched(mirror, registry)
        assert proxy.led_to() == {"cdn.test"}
        assert cdn.bytes_sent() == len(DATA)


@BOTH
async def test_the_registry_through_the_proxy_and_its_blob_store_direct(
    kind: Proxy, tmp_path: Path
) -> None:
    rule = {"host": "cdn.test", "proxy": "direct", "addresses": ["127.0.0.1"]}
    async with (
        Cdn() as cdn,
        Named(redirect_blobs_to=cdn) as registry,
        kind(tmp_path, NAMES) as proxy,
        connected(registry.url, proxy=proxy.url, redirects=[rule]) as mirror,
    ):
        await fetched(mirror, registry)
        assert proxy.led_to() == {"registry.test"}
        assert cdn.bytes_sent() == len(DATA)
        assert cdn.requests[0].headers["Host"] == cdn.host
