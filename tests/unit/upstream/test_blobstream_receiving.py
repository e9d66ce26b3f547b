"""A plain long body received by the thread that uses it: BlobStream.receiver and received."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from connecting import connected
from entrepot.errors import AttemptError, MirrorSilent, MirrorUnreachable
from entrepot.oci.reference import RepositoryName
from entrepot.upstream.blobstream import BlobStream
from entrepot.upstream.takeover import LONG_BYTES
from fakes.images import blob
from fakes.registry import FakeRegistry, Fault

PAUSE = RepositoryName("pause")
LONG = blob(LONG_BYTES + (4 << 20), "receiving")


async def receive(stream: BlobStream, got: bytearray, limit: int = len(LONG)) -> int:
    """Take one piece, as a delivery does; tell its length.

    Giving the memory back once woke whoever waited next, who found nothing, and so on without an
    end: a mirror that fell silent was never left.
    """
    receive = await stream.receiver(limit)
    assert receive is not None
    data, done = await asyncio.to_thread(receive)
    count = len(data)
    got += data
    done()
    stream.received(count)
    return count


async def receive_all(stream: BlobStream, got: bytearray) -> None:
    while not stream.ended:
        await receive(stream, got)


async def test_every_byte_is_received_and_the_end_is_seen() -> None:
    async with (
        FakeRegistry(bytes_per_second=len(LONG) * 5) as registry,
        connected(registry.url) as mirror,
    ):
        stream = await mirror.open_blob(PAUSE, registry.put_blob("pause", LONG))
        got = bytearray()
        await receive_all(stream, got)
        assert got == LONG
        assert repr(stream) == f"<BlobStream ended at {len(LONG)} of {len(LONG)}>"
        await stream.aclose()
        assert mirror.health.throughput is not None
        await registry.until_idle()


async def test_no_more_is_received_than_asked_for_and_reading_goes_on_from_there() -> None:
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        stream = await mirror.open_blob(PAUSE, registry.put_blob("pause", LONG))
        got = bytearray()
        while len(got) < 2_000_000:
            assert await receive(stream, got, limit=70_001) <= 70_001
        got += await stream.read()
        await receive_all(stream, got)
        assert got == LONG
        await stream.aclose()


@pytest.mark.parametrize(
    ("fault", "error", "told"),
    [
        (Fault("truncate", after_bytes=len(LONG) - 9), MirrorUnreachable, "ended 9 bytes early"),
        (Fault("reset", after_bytes=len(LONG) - 9), MirrorUnreachable, "early|reset by peer"),
        (Fault("stall", after_bytes=len(LONG) - 9), MirrorSilent, "sent nothing for 0.3 s"),
        (Fault("wrong_length", by=9), MirrorUnreachable, "ended 9 bytes early"),
    ],
    ids=["truncated", "reset", "stalled", "length too large"],
)
async def test_what_came_before_a_break_is_kept(
    fault: Fault, error: type[AttemptError], told: str
) -> None:
    async with FakeRegistry() as registry, connected(registry.url, stall_s=0.3) as mirror:
        digest = registry.put_blob("pause", LONG)
        registry.fault(fault)
        stream = await mirror.open_blob(PAUSE, digest)
        got = bytearray()
        with pytest.raises(error, match=told):
            await receive_all(stream, got)
        assert got == LONG[: len(LONG) - (0 if fault.kind == "wrong_length" else 9)]
        assert not stream.ended
        await stream.aclose()
        await registry.until_idle()


async def test_a_cancelled_wait_loses_nothing() -> None:
    async with (
        FakeRegistry(bytes_per_second=96 << 20) as registry,
        connected(registry.url) as mirror,
    ):
        stream = await mirror.open_blob(PAUSE, registry.put_blob("pause", LONG))
        got, cancelled = bytearray(), 0
        while not stream.ended:
            try:
                async with asyncio.timeout(0):
                    await stream.receiver(1)
            except TimeoutError:
                cancelled += 1
            await receive(stream, got)
        assert got == LONG
        assert cancelled
        await stream.aclose()


async def keep_all(stream: BlobStream, got: bytearray, kept: list[Callable[[], None]]) -> None:
    while (receive := await stream.receiver(len(LONG))) is not None:
        data, done = await asyncio.to_thread(receive)
        got += data
        kept.append(done)
        stream.received(len(data))


async def test_memory_that_others_keep_is_no_silence_of_the_mirror() -> None:
    async with FakeRegistry() as registry, connected(registry.url, stall_s=0.05) as mirror:
        stream = await mirror.open_blob(PAUSE, registry.put_blob("pause", LONG))
        got, kept = bytearray(), list[Callable[[], None]]()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await keep_all(stream, got, kept)
        for done in kept:
            done()
        await receive_all(stream, got)
        assert got == LONG
        await stream.aclose()


async def test_closing_the_client_ends_it() -> None:
    async with FakeRegistry(bytes_per_second=64 << 20) as registry:
        digest = registry.put_blob("pause", LONG)
        async with connected(registry.url) as mirror:
            stream = await mirror.open_blob(PAUSE, digest)
            got = bytearray()
            await receive(stream, got)
            await mirror.aclose()
            with pytest.raises(MirrorUnreachable):
                await receive_all(stream, got)
            await stream.aclose()
        await registry.until_idle()


async def test_a_ceiling_holds_here_too() -> None:
    limits = {"bandwidth": "8MB"}
    async with FakeRegistry() as registry, connected(registry.url, limits=limits) as mirror:
        stream = await mirror.open_blob(PAUSE, registry.put_blob("pause", LONG))
        loop = asyncio.get_running_loop()
        began, got = loop.time(), bytearray()
        while loop.time() < began + 0.4:
            await receive(stream, got)
        assert 1 << 20 <= len(got) <= 8_000_000 * (loop.time() - began) + (1 << 20)
        await stream.aclose()


@pytest.mark.parametrize("why", ["short", "TLS", "low ceiling", "bytes to skip"])
async def test_what_cannot_be_received_is_read(why: str, tmp_path: Path) -> None:
    data = LONG[: 1 << 20] if why == "short" else LONG
    async with FakeRegistry(tls=why == "TLS") as registry:
        ca = str(registry.write_ca(tmp_path / "ca.pem")) if why == "TLS" else None
        limits = {"bandwidth": "1MB"} if why == "low ceiling" else {}
        digest = registry.put_blob("pause", data)
        start = 0
        if why == "bytes to skip":
            registry.fault(Fault("ignore_range"))
            start = 5
        async with connected(registry.url, ca=ca, limits=limits) as mirror:
            stream = await mirror.open_blob(PAUSE, digest, start=start)
            assert await stream.receiver(len(data)) is None
            piece = await stream.read()
            assert piece == data[start : start + len(piece)]
            await stream.aclose()
