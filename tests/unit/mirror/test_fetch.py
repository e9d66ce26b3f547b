"""A blob from several mirrors at once: shares, order, lanes, urgent readers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from entrepot.mirror.fetch import Fetch
from entrepot.mirror.wanted import Wanted
from entrepot.oci.digest import Digest
from fakes.images import blob
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, mirroring, read_all

MIB = 1 << 20
LARGE = blob(24 * MIB, "large")
DIGEST = Digest.of(LARGE)


async def fakes(stack: AsyncExitStack, count: int, rate: float | None) -> list[FakeRegistry]:
    registries = [
        await stack.enter_async_context(FakeRegistry(bytes_per_second=rate)) for _ in range(count)
    ]
    for registry in registries:
        registry.put_blob("pause", LARGE)
    return registries


async def test_a_large_blob_comes_from_all_mirrors_that_have_it(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        mirrors = await fakes(stack, 3, 24 * MIB)
        layer = await stack.enter_async_context(mirroring(tmp_path, *(m.url for m in mirrors)))
        reader = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        assert await read_all(reader) == LARGE
        sent = [mirror.bytes_sent("/blobs/") for mirror in mirrors]
        assert min(sent) > 2 * MIB
        assert sum(sent) < 1.25 * len(LARGE)  # what is cut off mid-way is in flight on loopback


@pytest.mark.parametrize("others", [0, 1])
async def test_a_mirror_that_has_given_what_it_may_is_relieved_by_one_that_has_the_blob(
    tmp_path: Path, others: int
) -> None:
    """In the middle, and only then: with nobody to go on, what has begun is brought to its end."""
    async with AsyncExitStack() as stack:
        mirrors = await fakes(stack, 1, 48 * MIB) + await fakes(stack, others, 16 * MIB)
        limited = {"url": mirrors[0].url, "limits": {"bytes": "4MiB/2h"}}
        urls = [mirror.url for mirror in mirrors[1:]]
        layer = await stack.enter_async_context(mirroring(tmp_path, limited, *urls))
        reader = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        assert await read_all(reader) == LARGE
        sent = [mirror.bytes_sent("/blobs/") for mirror in mirrors]
        assert sent[0] == len(LARGE) if not others else sent[0] < 12 * MIB < sent[1]


async def test_a_mirror_that_has_not_got_it_is_asked_once(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        first, second = await fakes(stack, 2, 24 * MIB)
        empty = await stack.enter_async_context(FakeRegistry())
        urls = (first.url, empty.url, second.url)
        layer = await stack.enter_async_context(mirroring(tmp_path, *urls))
        reader = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        assert await read_all(reader) == LARGE
        assert len(empty.requests) == 1


async def test_an_empty_blob_of_unknown_length_gives_its_connection_back(tmp_path: Path) -> None:
    small = blob(5000, "small")
    async with AsyncExitStack() as stack:
        mirror = await stack.enter_async_context(FakeRegistry())
        only_one = {"url": mirror.url, "limits": {"concurrency": 1}}
        layer = await stack.enter_async_context(mirroring(tmp_path, only_one))
        for data in (b"", small):
            mirror.put_blob("pause", data)
            reader = await layer.blobs.open(PAUSE, Digest.of(data), layer.deadline())
            assert await read_all(reader) == data


async def test_a_small_blob_is_left_to_one_mirror(tmp_path: Path) -> None:
    small = blob(MIB, "small")
    async with AsyncExitStack() as stack:
        mirrors = await fakes(stack, 2, None)
        for mirror in mirrors:
            mirror.put_blob("pause", small)
        layer = await stack.enter_async_context(mirroring(tmp_path, *(m.url for m in mirrors)))
        reader = await layer.blobs.open(PAUSE, Digest.of(small), layer.deadline())
        assert await read_all(reader) == small
        assert mirrors[1].requests == []


async def test_a_mirror_whose_share_was_cut_while_it_answered_is_asked_for_more(
    tmp_path: Path,
) -> None:
    """Nobody said how long the blob is, so the first is asked for all of it: it does range."""
    async with AsyncExitStack() as stack:
        fast = await stack.enter_async_context(FakeRegistry(bytes_per_second=96 * MIB))
        slow = await stack.enter_async_context(FakeRegistry(bytes_per_second=6 * MIB))
        for mirror in (fast, slow):
            mirror.put_blob("pause", LARGE)
        layer = await stack.enter_async_context(mirroring(tmp_path, fast.url, slow.url))
        reader = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        assert await read_all(reader) == LARGE
        assert len(fast.requests) > 1
        assert fast.bytes_sent("/blobs/") > slow.bytes_sent("/blobs/")


async def test_a_mirror_without_ranges_is_no_help_and_no_harm(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        mirrors = await fakes(stack, 2, 48 * MIB)
        mirrors[0].fault(Fault("ignore_range", path="/blobs/", times=None))
        layer = await stack.enter_async_context(mirroring(tmp_path, *(m.url for m in mirrors)))
        reader = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        assert await read_all(reader) == LARGE


@pytest.mark.rule("T-2")
async def test_what_a_stalled_mirror_owes_is_brought_by_another_before_it_gives_up(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        mirrors = await fakes(stack, 2, 48 * MIB)
        mirrors[0].fault(Fault("stall", path="/blobs/", after_bytes=3 * MIB, times=None))
        layer = await stack.enter_async_context(
            mirroring(tmp_path, *(m.url for m in mirrors), overtake_s=0.2, stall_s=30.0)
        )
        reader = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        async with asyncio.timeout(15):  # far below the 30 s of the stall
            assert await read_all(reader) == LARGE


@pytest.mark.parametrize("size", [150_000, 3_000_000])
async def test_a_crawling_mirror_is_helped_out_by_another(tmp_path: Path, size: int) -> None:
    data = blob(size, "crawl")
    async with AsyncExitStack() as stack:
        mirrors = await fakes(stack, 2, None)
        for mirror in mirrors:
            mirror.put_blob("pause", data)
        mirrors[0].fault(
            Fault("drip", path="/blobs/", after_bytes=1000, bytes_per_second=2000, times=None)
        )
        layer = await stack.enter_async_context(
            mirroring(tmp_path, *(m.url for m in mirrors), overtake_s=0.2)
        )
        reader = await layer.blobs.open(PAUSE, Digest.of(data), layer.deadline())
        async with asyncio.timeout(20):  # alone it would take more than a minute
            assert await read_all(reader) == data


@pytest.mark.rule("L-3", "T-6")
async def test_a_range_far_ahead_does_not_wait_for_what_is_before_it(tmp_path: Path) -> None:
    async with FakeRegistry(bytes_per_second=2 * MIB) as mirror:
        mirror.put_blob("pause", LARGE)
        async with mirroring(tmp_path, mirror.url) as layer:
            reader = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
            reader.whole = False
            async with asyncio.timeout(6):  # the whole would take 12 s
                got = await read_all(reader, 20 * MIB, 20 * MIB + 1000)
            assert got == LARGE[20 * MIB : 20 * MIB + 1000]


@pytest.mark.rule("P30")
async def test_in_order_one_mirror_at_a_time_brings_byte_after_byte(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        mirrors = await fakes(stack, 3, 96 * MIB)
        mirrors[0].fault(Fault("reset", path="/blobs/", after_bytes=9 * MIB, times=None))
        layer = await stack.enter_async_context(mirroring(tmp_path, *(m.url for m in mirrors)))
        partial = await layer.store.begin(DIGEST)
        ends: list[int] = []
        fetch = Fetch(
            wanted=Wanted(DIGEST, layer.registry, PAUSE.repository),
            partial=partial,
            rules=layer.fills.rules,
            set_aside=layer.fills.set_aside,
            metrics=layer.metrics,
            progressed=lambda: ends.append(len(partial.written.intervals)),
            in_order=True,
        )
        await fetch.run()
        assert await partial.verify()
        assert set(ends) <= {0, 1}
        assert mirrors[2].requests == []
        assert mirrors[1].bytes_sent("/blobs/") <= len(LARGE) - 8 * MIB
        await partial.discard()


@pytest.mark.parametrize("headers_s", [5.0, 0.4], ids=["at the end", "before it"])
async def test_a_transfer_that_waits_for_a_place_of_ours_is_no_silence(
    tmp_path: Path, headers_s: float
) -> None:
    async with AsyncExitStack() as stack:
        well, busy = await fakes(stack, 1, 20 * MIB) + await fakes(stack, 1, None)
        busy.fault(Fault("stall", path="/blobs/", after_bytes=MIB))
        alone = {"url": busy.url, "limits": {"concurrency": 1}}
        layer = await stack.enter_async_context(
            mirroring(tmp_path, well.url, alone, overtake_s=0.2, headers_s=headers_s)
        )
        mirror = layer.registry.mirrors[1]
        stream = await mirror.open_blob(PAUSE.repository, DIGEST)
        reader = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        assert await read_all(reader) == LARGE
        await layer.fills.settled()
        assert len(busy.requests) == 1
        assert (mirror.health.last_failure, mirror.health.state(layer.deadline(0))) == (
            None,
            "closed",
        )
        await stream.aclose()
