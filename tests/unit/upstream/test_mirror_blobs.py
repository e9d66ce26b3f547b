"""One mirror asked for blobs: sizes, streams, ranges, redirects. Manifests: test_mirror.py."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from connecting import connected, replying
from entrepot.errors import (
    AttemptError,
    MirrorDenied,
    MirrorFailed,
    MirrorLied,
    MirrorNotFound,
    MirrorSilent,
    MirrorUnreachable,
)
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.upstream.blobstream import BlobStream
from fakes.images import blob, image
from fakes.registry import FakeRegistry, Fault

PAUSE = RepositoryName("pause")
TAG = Tag("3.1")
MIB = 1 << 20


def head_of(status: str, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


DIGEST = Digest.of(b"anything")
REFUSED = head_of("405 No", "Content-Length: 0")


async def everything(stream: BlobStream) -> bytes:
    pieces = []
    try:
        while piece := await stream.read():
            pieces.append(piece)
    finally:
        await stream.aclose()
    return b"".join(pieces)


async def test_a_blob_comes_whole_and_its_connection_is_used_again() -> None:
    data = blob(3 * MIB + 17)
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", data)
        assert await mirror.head_blob(PAUSE, digest) == len(data)
        stream = await mirror.open_blob(PAUSE, digest, expected_size=len(data))
        assert (stream.start, stream.size) == (0, len(data))
        assert await everything(stream) == data
        await mirror.head_blob(PAUSE, digest)
        assert len({one.connection_id for one in registry.requests}) == 1
        assert "Range" not in registry.requests[1].headers


async def test_a_stream_closed_early_drops_its_connection() -> None:
    async with FakeRegistry(bytes_per_second=20 * MIB) as registry, connected(registry.url) as m:
        digest = registry.put_blob("pause", blob(4 * MIB))
        stream = await m.open_blob(PAUSE, digest)
        assert await stream.read()
        await stream.aclose()
        await stream.aclose()
        await registry.until_idle()
        assert registry.bytes_sent("/blobs/") < 4 * MIB
        assert "closed" in repr(stream)


@pytest.mark.rule("P12")
async def test_a_resumed_blob_is_the_rest() -> None:
    data = blob(100_000)
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", data)
        stream = await mirror.open_blob(PAUSE, digest, start=60_000, expected_size=100_000)
        assert (stream.start, stream.size) == (60_000, 100_000)
        assert await everything(stream) == data[60_000:]
        assert registry.requests[0].headers["Range"] == "bytes=60000-"


@pytest.mark.rule("P12")
async def test_a_mirror_that_ignores_the_range_is_read_past_the_start() -> None:
    data = blob(100_000)
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", data)
        registry.fault(Fault("ignore_range", times=None))
        stream = await mirror.open_blob(PAUSE, digest, start=60_000)
        assert (stream.start, stream.size) == (60_000, 100_000)
        assert await everything(stream) == data[60_000:]
        with pytest.raises(MirrorFailed, match="ignores ranges"):
            await mirror.open_blob(PAUSE, digest, start=8 * MIB + 1)


@pytest.mark.rule("P12")
async def test_another_range_than_asked_for_is_a_lie() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(100_000))
        registry.fault(Fault("wrong_content_range"))
        with pytest.raises(MirrorLied, match="asked from 60000"):
            await mirror.open_blob(PAUSE, digest, start=60_000)
        with pytest.raises(MirrorLied, match="ends before"):
            await mirror.open_blob(PAUSE, digest, start=100_000)


async def test_a_length_other_than_expected_is_a_lie() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        for start in (0, 10):
            with pytest.raises(MirrorLied, match="1000 bytes there instead of 999"):
                await mirror.open_blob(PAUSE, digest, start=start, expected_size=999)


@pytest.mark.rule("C-12", "U-2")
async def test_a_compressed_blob_is_a_lie() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        registry.fault(Fault("gzip"))
        with pytest.raises(MirrorLied, match="coding"):
            await mirror.open_blob(PAUSE, digest)


@pytest.mark.parametrize("kind", ["reset", "truncate"])
async def test_what_came_before_the_break_is_kept(kind: Literal["reset", "truncate"]) -> None:
    data = blob(1_000_000)
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", data)
        registry.fault(Fault(kind, after_bytes=400_000))
        stream = await mirror.open_blob(PAUSE, digest)
        while stream._response.content.exception() is None:
            await asyncio.sleep(0)  # until all of it is here, and the break as well
        assert await stream.read() == data[:400_000]
        with pytest.raises(MirrorUnreachable):
            await stream.read()
        await stream.aclose()


async def test_an_early_end_tells_how_much_is_missing() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        registry.fault(Fault("truncate", after_bytes=400))
        stream = await mirror.open_blob(PAUSE, digest)
        with pytest.raises(MirrorUnreachable, match="ended 600 bytes early, at byte 400"):
            await everything(stream)


@pytest.mark.rule("T-2")
async def test_a_body_that_stands_still_is_given_up() -> None:
    async with FakeRegistry() as registry, connected(registry.url, stall_s=0.5) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        registry.fault(Fault("stall", after_bytes=400, times=2))
        stream = await mirror.open_blob(PAUSE, digest)
        with pytest.raises(MirrorSilent, match=r"nothing for 0\.5 s at byte 400"):
            await everything(stream)
        registry.put_image("pause", "3.1", image(1))
        with pytest.raises(MirrorSilent):
            await mirror.get_manifest(PAUSE, TAG)


@pytest.mark.rule("U-3", "P25")
async def test_blobs_are_fetched_through_signed_redirects() -> None:
    data = blob(100_000)
    async with (
        FakeRegistry(token_auth=True, redirect_blobs_to="cdn") as registry,
        connected(registry.url, headers={"X-Key": "s3cret"}) as mirror,
    ):
        digest = registry.put_blob("pause", data)
        stream = await mirror.open_blob(PAUSE, digest, start=1)
        assert await everything(stream) == data[1:]
        at_cdn = registry.cdn.requests[-1]
        assert at_cdn.status == 206
        assert "Authorization" not in at_cdn.headers
        assert "X-Key" not in at_cdn.headers
        assert registry.requests[-1].headers["X-Key"] == "s3cret"


@pytest.mark.rule("U-4", "Q-1")
@pytest.mark.parametrize("get_only", [True, False])
async def test_the_size_of_a_blob_behind_a_signed_url_is_learned(get_only: bool) -> None:
    async with (
        FakeRegistry(redirect_blobs_to="cdn", cdn_get_only=get_only) as registry,
        connected(registry.url) as mirror,
    ):
        digest = registry.put_blob("pause", blob(12_345))
        assert await mirror.head_blob(PAUSE, digest) == 12_345
        assert registry.cdn.bytes_sent() <= 300  # an error page or a byte, not the blob
        with pytest.raises(MirrorNotFound):
            await mirror.head_blob(PAUSE, Digest.of(b"missing"))


async def test_the_empty_blob_has_size_zero() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", b"")
        assert await mirror.head_blob(PAUSE, digest) == 0
        assert await everything(await mirror.open_blob(PAUSE, digest)) == b""


async def test_a_size_of_zero_for_anything_else_is_not_believed() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        registry.fault(Fault("wrong_length", by=-1000, method="HEAD"))
        assert await mirror.head_blob(PAUSE, digest) == 1000


@pytest.mark.rule("U-4", "P12")
async def test_an_expired_url_is_asked_for_once_more() -> None:
    data = blob(1000)
    async with (
        FakeRegistry(redirect_blobs_to="cdn") as registry,
        connected(registry.url) as mirror,
    ):
        digest = registry.put_blob("pause", data)
        registry.fault(Fault("expired_url"))
        assert await everything(await mirror.open_blob(PAUSE, digest)) == data
        registry.fault(Fault("expired_url", times=None))
        with pytest.raises(MirrorDenied, match=r"127\.0\.0\.1 answered 403"):
            await mirror.open_blob(PAUSE, digest)


@pytest.mark.rule("U-4", "P12")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_url_that_its_host_refuses_is_asked_for_once_more(status: int) -> None:
    """However the blob store says it, and in the middle of a blob as well; never a third time."""
    data = blob(1000)
    async with (
        FakeRegistry(redirect_blobs_to="cdn") as registry,
        connected(registry.url) as mirror,
    ):
        digest = registry.put_blob("pause", data)
        registry.cdn.fault(Fault("status", status=status))
        assert await everything(await mirror.open_blob(PAUSE, digest, start=600)) == data[600:]
        assert (len(registry.requests), len(registry.cdn.requests)) == (2, 2)
        registry.cdn.fault(Fault("status", status=status, times=None))
        with pytest.raises(AttemptError, match=rf"127\.0\.0\.1 answered {status}"):
            await mirror.open_blob(PAUSE, digest, start=600)
        assert (len(registry.requests), len(registry.cdn.requests)) == (4, 4)


@pytest.mark.rule("U-4")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_what_the_registry_itself_refuses_is_not_asked_for_again(status: int) -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", blob(1000))
        registry.fault(Fault("status", status=status, times=None))
        with pytest.raises(AttemptError):
            await mirror.open_blob(PAUSE, digest)
        assert len(registry.requests) == 1


@pytest.mark.rule("Q-1", "U-4")
@pytest.mark.parametrize(
    ("probe", "size"),
    [
        (head_of("206 Part", "Content-Range: bytes 0-0/77", "Content-Length: 1"), 77),
        (head_of("206 Part", "Content-Range: bytes 0-0/*", "Content-Length: 1"), None),
        (head_of("206 Part", "Content-Length: 1"), None),
        (head_of("200 OK", "Content-Length: 77"), 77),
        (head_of("200 OK", "Transfer-Encoding: chunked"), None),
        (head_of("416 No", "Content-Range: bytes */0", "Content-Length: 0"), 0),
    ],
    ids=["part", "part of unknown", "part without range", "whole", "whole of unknown", "empty"],
)
async def test_a_size_that_head_does_not_tell_is_read_off_one_byte(
    probe: bytes, size: int | None
) -> None:
    async with replying(REFUSED, probe) as url, connected(url) as mirror:
        assert await mirror.head_blob(PAUSE, DIGEST) == size


@pytest.mark.rule("P8")
async def test_a_probe_answered_with_a_page_or_404_is_no_size() -> None:
    page = head_of("200 OK", "Content-Type: text/html", "Content-Length: 9")
    async with replying(REFUSED, page) as url, connected(url) as mirror:
        with pytest.raises(MirrorLied):
            await mirror.head_blob(PAUSE, DIGEST)
    gone = head_of("404 No", "Content-Length: 0")
    async with replying(REFUSED, gone) as url, connected(url) as mirror:
        with pytest.raises(MirrorNotFound):
            await mirror.head_blob(PAUSE, DIGEST)


@pytest.mark.rule("U-4")
async def test_the_first_hops_length_counts_only_if_it_is_the_blobs() -> None:
    async with FakeRegistry() as cdn:
        cdn.fault(Fault("status", status=403, times=None))
        hop = f"Location: {cdn.url}/signed"
        named = f"Docker-Content-Digest: {DIGEST}"
        octets = "Content-Type: application/octet-stream"
        speaking = head_of("307 There", hop, named, octets, "Content-Length: 77")
        async with replying(speaking) as url, connected(url) as mirror:
            assert await mirror.head_blob(PAUSE, DIGEST) == 77
        page = head_of("307 There", hop, named, "Content-Type: text/html", "Content-Length: 77")
        async with replying(page, page) as url, connected(url) as mirror:
            with pytest.raises(MirrorDenied):
                await mirror.head_blob(PAUSE, DIGEST)
