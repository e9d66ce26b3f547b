"""One logical request: hops, methods, headers, cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from connecting import connected, replying
from entrepot.errors import MirrorFailed, MirrorLied, MirrorUnreachable
from entrepot.oci.mediatype import ACCEPT
from entrepot.oci.reference import RepositoryName, Tag
from fakes.images import blob, image
from fakes.registry import FakeRegistry, Fault

PAUSE = RepositoryName("pause")
TAG = Tag("3.1")
MANIFEST = "/v2/pause/manifests/3.1"


@pytest.mark.rule("U-3")
async def test_a_loop_of_redirects_ends_after_ten() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.fault(Fault("redirect_loop", times=None))
        with pytest.raises(MirrorFailed, match="more than 10 times"):
            await mirror.head_manifest(PAUSE, TAG)
        assert [one.method for one in registry.requests] == ["HEAD"] * 11


@pytest.mark.rule("U-3", "P25")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_every_kind_of_redirect_keeps_method_and_question(status: int) -> None:
    async with (
        FakeRegistry() as elsewhere,
        FakeRegistry() as registry,
        connected(registry.url, headers={"X-Key": "s3cret"}) as mirror,
    ):
        digest = elsewhere.put_image("pause", "3.1", image(1))
        there = {"Location": f"{elsewhere.url}{MANIFEST}?sig=a%2Fb%3A"}
        registry.fault(Fault("status", status=status, headers=there))
        assert (await mirror.head_manifest(PAUSE, TAG)).digest == digest
        (arrived,) = elsewhere.requests
        assert (arrived.method, arrived.query) == ("HEAD", "sig=a%2Fb%3A")
        assert arrived.headers["Accept"] == ACCEPT
        assert "X-Key" not in arrived.headers


async def test_a_redirect_within_the_origin_keeps_our_headers() -> None:
    async with (
        FakeRegistry() as registry,
        connected(registry.url, headers={"X-Key": "s3cret"}) as mirror,
    ):
        registry.put_image("pause", "3.1", image(1))
        registry.fault(Fault("status", status=308, headers={"Location": MANIFEST}))
        await mirror.head_manifest(PAUSE, TAG)
        assert [one.headers["X-Key"] for one in registry.requests] == ["s3cret", "s3cret"]


async def test_a_redirect_that_must_not_be_followed_is_a_lie() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.fault(Fault("status", status=302, headers={"Location": "file:///etc/passwd"}))
        with pytest.raises(MirrorLied, match="no web address"):
            await mirror.head_manifest(PAUSE, TAG)


async def test_a_redirect_without_a_location_is_a_failure() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.fault(Fault("status", status=304))
        registry.fault(Fault("status", status=302))
        for status in (304, 302):
            with pytest.raises(MirrorFailed, match=f"answered {status}"):
                await mirror.head_manifest(PAUSE, TAG)


async def test_who_failed_after_a_redirect_is_named() -> None:
    async with (
        FakeRegistry() as elsewhere,
        FakeRegistry(redirect_manifests=elsewhere) as registry,
        connected(registry.url) as mirror,
    ):
        elsewhere.fault(Fault("status", status=503))
        with pytest.raises(MirrorFailed, match=r"^127\.0\.0\.1 answered 503$"):
            await mirror.head_manifest(PAUSE, TAG)


@pytest.mark.rule("U-2", "X-7")
async def test_what_every_request_says_and_does_not_say() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.put_image("pause", "3.1", image(1))
        registry.fault(Fault("status", status=500, headers={"Set-Cookie": "a=b"}))
        with pytest.raises(MirrorFailed):
            await mirror.head_manifest(PAUSE, TAG)
        await mirror.head_manifest(PAUSE, TAG)
        headers = registry.requests[-1].headers
        assert headers["User-Agent"].startswith("entrepot/")
        assert headers.getall("Accept-Encoding") == ["identity"]
        assert headers.getall("Accept") == [ACCEPT]
        assert "Cookie" not in headers


@pytest.mark.parametrize("path", ["/manifests/", "/token", "/blobs/"])
async def test_cancelling_while_waiting_leaves_the_client_usable(path: str) -> None:
    """The leak check of every test sees to it that nothing is left over."""
    async with (
        FakeRegistry(token_auth=True, redirect_blobs_to="cdn") as registry,
        connected(registry.url) as mirror,
    ):
        digest = registry.put_image("pause", "3.1", image(1))
        layer = registry.put_blob("pause", blob(1000))
        registry.fault(Fault("silent", path=path))
        async with asyncio.TaskGroup() as group:
            if path == "/blobs/":
                asking = group.create_task(_outcome(mirror.head_blob(PAUSE, layer)))
            else:
                asking = group.create_task(_outcome(mirror.get_manifest(PAUSE, TAG)))
            await registry.until_asked(path)
            asking.cancel()
        assert asking.cancelled()
        if path == "/token":
            # The request for a token is nobody's, and goes on for whoever asks next.
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await mirror.get_manifest(PAUSE, TAG)
            assert len(registry.asked("/token")) == 1
            return
        assert (await mirror.head_manifest(PAUSE, TAG)).digest == digest


async def _outcome(asking: Awaitable[object]) -> object:
    return await asking


async def test_a_deadline_is_the_callers() -> None:
    async with FakeRegistry(accept_silently=True) as registry, connected(registry.url) as mirror:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await mirror.head_manifest(PAUSE, TAG)


async def test_a_connection_that_died_idle_is_replaced_unnoticed() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.put_image("pause", "3.1", image(1))
        await mirror.head_manifest(PAUSE, TAG)
        await registry.stop()
        with pytest.raises(MirrorUnreachable):
            await mirror.head_manifest(PAUSE, TAG)
        await registry.start()
        await mirror.head_manifest(PAUSE, TAG)


async def test_an_error_body_that_never_ends_does_not_hide_the_status() -> None:
    head = b"HTTP/1.1 503 No\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    async with replying(head) as url, connected(url) as mirror:
        with pytest.raises(MirrorFailed, match=r"^answered 503$"):
            await mirror.get_manifest(PAUSE, TAG)
