"""Reading a blob as it arrives; more of it in test_mirror.py, on a whole registry."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connecting import connected, replying
from entrepot.errors import AttemptError, MirrorLied, MirrorSilent, MirrorUnreachable
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName
from entrepot.upstream.blobstream import BlobStream
from entrepot.upstream.librarybody import PIECE_BYTES
from entrepot.upstream.piece import Piece
from entrepot.upstream.takeover import LONG_BYTES
from fakes.images import blob
from fakes.registry import FakeRegistry, Fault

PAUSE = RepositoryName("pause")
LONG = blob(LONG_BYTES + (4 << 20))
DIGEST = Digest.of(b"anything")


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + end


async def drain(stream: BlobStream) -> None:
    while await stream.read():
        pass


@pytest.mark.rule("Q-1")
async def test_a_blob_of_unknown_size_ends_where_it_ends() -> None:
    async with replying(chunked(b"some", b"thing")) as url, connected(url) as mirror:
        stream = await mirror.open_blob(PAUSE, DIGEST)
        assert stream.size is None
        got = b""
        while piece := await stream.read():
            got += piece
        assert got == b"something"
        assert await stream.read() == b""
        assert repr(stream) == "<BlobStream ended at 9 of None>"
        await stream.aclose()


async def test_more_than_expected_is_a_lie() -> None:
    async with replying(chunked(b"something")) as url, connected(url) as mirror:
        stream = await mirror.open_blob(PAUSE, DIGEST, expected_size=8)
        with pytest.raises(MirrorLied, match="more than up to byte 8"):
            await stream.read()
        await stream.aclose()


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b""], ids=["clean", "cut"])
async def test_less_than_expected_is_an_early_end(end: bytes) -> None:
    async with replying(chunked(b"something", end=end)) as url, connected(url) as mirror:
        stream = await mirror.open_blob(PAUSE, DIGEST, expected_size=10)
        assert await stream.read() == b"something"
        with pytest.raises(MirrorUnreachable, match="ended 1 bytes early, at byte 9"):
            await stream.read()
        await stream.aclose()


async def test_a_chunked_body_cut_off_is_no_end() -> None:
    async with replying(chunked(b"something", end=b"")) as url, connected(url) as mirror:
        stream = await mirror.open_blob(PAUSE, DIGEST)
        assert await stream.read() == b"something"
        with pytest.raises(MirrorUnreachable, match="broke off"):
            await stream.read()
        await stream.aclose()


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b""], ids=["clean", "cut"])
async def test_an_end_before_the_start_is_early_too(end: bytes) -> None:
    async with replying(chunked(b"some", end=end)) as url, connected(url) as mirror:
        stream = await mirror.open_blob(PAUSE, DIGEST, start=6)
        with pytest.raises(AttemptError):
            await stream.read()
        await stream.aclose()


async def test_pieces_are_gathered_but_not_beyond_a_mebibyte() -> None:
    data = blob(5 * PIECE_BYTES)
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", data)
        stream = await mirror.open_blob(PAUSE, digest)
        sizes = []
        while piece := await stream.read():
            sizes.append(len(piece))
            for _ in range(50):
                await asyncio.sleep(0)  # more arrives meanwhile
        await stream.aclose()
        assert sum(sizes) == len(data)
        assert max(sizes) <= PIECE_BYTES
        assert len(sizes) < 5 * 16  # not one read for each packet


async def test_a_cancelled_read_loses_nothing() -> None:
    data = blob(100_000)
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", data)
        registry.fault(Fault("stall", after_bytes=50_000))
        stream = await mirror.open_blob(PAUSE, digest)
        got = b""
        while len(got) < 50_000:
            got += await stream.read()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await stream.read()
        assert got == data[:50_000]
        assert repr(stream) == "<BlobStream open at 50000 of 100000>"
        await stream.aclose()
        await registry.until_idle()


async def test_closing_the_client_ends_its_streams() -> None:
    async with FakeRegistry(bytes_per_second=1 << 20) as registry:
        digest = registry.put_blob("pause", blob(1 << 20))
        async with connected(registry.url) as mirror:
            stream = await mirror.open_blob(PAUSE, digest)
            await mirror.aclose()
            with pytest.raises(MirrorUnreachable):
                await drain(stream)
            await stream.aclose()


async def gather(stream: BlobStream, into: bytearray) -> None:
    while piece := await stream.read():
        into += piece


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
async def test_a_long_body_is_read_off_its_connection(tls: bool, tmp_path: Path) -> None:
    async with FakeRegistry(tls=tls) as registry:
        ca = str(registry.write_ca(tmp_path / "ca.pem")) if tls else None
        digest = registry.put_blob("pause", LONG)
        async with connected(registry.url, ca=ca) as mirror:
            for _ in range(2):
                stream = await mirror.open_blob(PAUSE, digest)
                got = bytearray()
                await gather(stream, got)
                assert got == LONG
                assert await stream.read() == b""
                await stream.aclose()
            # such a connection is not used again
            assert len({request.connection_id for request in registry.requests}) == 2
        await registry.until_idle()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize(
    ("fault", "error", "told"),
    [
        (Fault("truncate", after_bytes=len(LONG) - 9), MirrorUnreachable, "ended 9 bytes early"),
        (
            Fault("reset", after_bytes=len(LONG) - 9),
            MirrorUnreachable,
            "early|reset by peer",
        ),
        (Fault("stall", after_bytes=len(LONG) - 9), MirrorSilent, "sent nothing for 0.3 s"),
        (Fault("wrong_length", by=9), MirrorUnreachable, "ended 9 bytes early"),
    ],
    ids=["truncated", "reset", "stalled", "length too large"],
)
async def test_a_long_body_that_breaks_keeps_what_came(
    fault: Fault, error: type[AttemptError], told: str, tls: bool, tmp_path: Path
) -> None:
    async with FakeRegistry(tls=tls) as registry:
        ca = str(registry.write_ca(tmp_path / "ca.pem")) if tls else None
        digest = registry.put_blob("pause", LONG)
        registry.fault(fault)
        async with connected(registry.url, stall_s=0.3, ca=ca) as mirror:
            stream = await mirror.open_blob(PAUSE, digest)
            got = bytearray()
            with pytest.raises(error, match=told):
                await gather(stream, got)
            assert got == LONG[: len(LONG) - (0 if fault.kind == "wrong_length" else 9)]
            await stream.aclose()
        await registry.until_idle()


async def test_a_length_too_small_ends_there() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", LONG)
        registry.fault(Fault("wrong_length", by=-9))
        stream = await mirror.open_blob(PAUSE, digest)
        got = bytearray()
        await gather(stream, got)
        assert got == LONG[:-9]
        await stream.aclose()
        await registry.until_idle()


async def test_what_was_not_asked_for_is_skipped_in_a_long_body_too() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        digest = registry.put_blob("pause", LONG)
        registry.fault(Fault("ignore_range"))
        stream = await mirror.open_blob(PAUSE, digest, start=3_000_001)
        got = bytearray()
        await gather(stream, got)
        assert got == LONG[3_000_001:]
        await stream.aclose()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
async def test_closing_the_client_ends_long_streams(tls: bool, tmp_path: Path) -> None:
    async with FakeRegistry(tls=tls, bytes_per_second=64 << 20) as registry:
        ca = str(registry.write_ca(tmp_path / "ca.pem")) if tls else None
        digest = registry.put_blob("pause", LONG)
        async with connected(registry.url, ca=ca) as mirror:
            stream = await mirror.open_blob(PAUSE, digest)
            assert await stream.read()
            await mirror.aclose()
            with pytest.raises(MirrorUnreachable):
                await drain(stream)
            await stream.aclose()
        await registry.until_idle()


async def keep_all(stream: BlobStream, kept: list[Piece]) -> None:
    while piece := await stream.read_piece():
        kept.append(piece)


async def test_memory_that_others_keep_is_no_silence_of_the_mirror() -> None:
    async with FakeRegistry() as registry, connected(registry.url, stall_s=0.05) as mirror:
        digest = registry.put_blob("pause", LONG)
        stream = await mirror.open_blob(PAUSE, digest)
        kept: list[Piece] = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await keep_all(stream, kept)
        got = bytearray(b"".join(bytes(one) for piece in kept for one in piece.buffers))
        for piece in kept:
            piece.done()
        await gather(stream, got)
        assert got == LONG
        await stream.aclose()


async def test_a_long_body_keeps_to_the_bandwidth() -> None:
    async with (
        FakeRegistry() as registry,
        connected(registry.url, limits={"bandwidth": "1MB"}) as mirror,
    ):
        digest = registry.put_blob("pause", LONG)
        stream = await mirror.open_blob(PAUSE, digest)
        loop = asyncio.get_running_loop()
        began, total = loop.time(), 0
        while loop.time() < began + 0.4:
            total += len(await stream.read())
        assert total < 1_500_000
        await stream.aclose()
