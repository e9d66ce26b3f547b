"""The words for what went wrong below HTTP."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import aiohttp
import pytest

from connecting import connected, replying
from entrepot.errors import AttemptError, MirrorLied, MirrorUnreachable
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.upstream.breakage import translate
from fakes.registry import FakeRegistry, Fault

PAUSE, TAG = RepositoryName("pause"), Tag("3.1")


async def told(url: str, **settings: str) -> str:
    """What a client says about a mirror that cannot be asked."""
    async with connected(url, stall_s=5.0, **settings) as mirror:
        with pytest.raises(MirrorUnreachable) as caught:
            await mirror.get_manifest(PAUSE, TAG)
    return str(caught.value)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_refused_connection(closed_port: int) -> None:
    url = f"http://127.0.0.1:{closed_port}"
    assert await told(url) == f"no connection to 127.0.0.1:{closed_port}: refused"


async def test_a_name_nobody_has() -> None:
    # Two dots: refused by every resolver before it asks anybody.
    assert "no-such-host..invalid" in await told("http://no-such-host..invalid")


async def test_a_connection_closed_or_reset_without_an_answer() -> None:
    async with FakeRegistry() as registry:
        registry.fault(Fault("refuse", times=None))
        assert "127.0.0.1" in await told(registry.url)
    async with replying(b"", b"") as url:
        assert (await told(url)).endswith("closed the connection without an answer")


async def test_something_that_is_not_http() -> None:
    async with replying(b"SSH-2.0-OpenSSH_9.2\r\n") as url:
        assert "not HTTP" in await told(url)


async def test_plain_http_where_tls_was_expected() -> None:
    async with FakeRegistry() as registry:
        assert (await told(f"https://{registry.host}")).startswith("no TLS with 127.0.0.1")


async def test_a_certificate_of_nobody_we_know() -> None:
    async with FakeRegistry(tls=True) as registry:
        reason = await told(registry.url)
        assert reason.startswith(f"certificate of {registry.host} not accepted: ")
        assert "issuer" in reason or "self-signed" in reason


async def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    async with FakeRegistry(tls=True) as registry:
        ca = registry.write_ca(tmp_path / "ca.pem")
        reason = await told(f"https://127.0.0.2:{registry.port}", ca=str(ca))
        assert "127.0.0.2" in reason


async def test_a_proxy_that_is_not_there_or_refuses(closed_port: int) -> None:
    proxy = f"http://user:s3cret@127.0.0.1:{closed_port}"
    assert await told("http://registry.example", proxy=proxy) == (
        "the proxy cannot be reached: refused"
    )
    async with replying(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n") as url:
        reason = await told("https://registry.example", proxy=url)
        assert reason == "the proxy answered 407 for registry.example"


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (aiohttp.ConnectionTimeoutError("s3cret"), MirrorUnreachable, "timed out"),
        (aiohttp.InvalidURL("https://s3cret"), MirrorLied, "no url"),
        (aiohttp.ClientOSError(104, "Connection reset by peer"), MirrorUnreachable, "reset by"),
        (ConnectionResetError(), MirrorUnreachable, "ConnectionResetError"),
        (ssl.SSLError(1, "[SSL] broken"), MirrorUnreachable, "broken"),
        (ValueError("s3cret"), MirrorUnreachable, "ValueError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_other_failures_have_words_and_no_secrets(
    error: Exception, kind: type[AttemptError], words: str
) -> None:
    translated = translate(error, "registry.example")
    assert type(translated) is kind
    assert words in str(translated)
    assert "s3cret" not in str(translated)
