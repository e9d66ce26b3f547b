"""Layers that begin before they are asked for, behind whoever waits for something else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from entrepot.mirror.lookahead import LookAhead
from entrepot.mirror.names import NameTable
from entrepot.mirror.prefetch import Means
from entrepot.mirror.watermarks import Limits
from entrepot.oci.digest import Digest
from fakes.images import Image, image, index, sha256
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, REGISTRY, Mirroring, mirroring, read_all

PARTS = [image("p", platform=each) for each in ("linux/amd64", "linux/arm64/v8", "linux/s390x")]
NEXT = [image("n", platform=each) for each in ("linux/amd64", "linux/arm64/v8", "linux/s390x")]
BIG = image("big", layers=(2_000_000,))
LIVE = image("live", layers=(300_000,))


def layers(of: Image) -> list[Digest]:
    return [sha256(data) for data in of.blobs]


@pytest.fixture
async def mirror() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", "1", index(PARTS))
        mirror.put_image("pause", "2", index(NEXT))
        mirror.put_image("pause", "big", BIG)
        mirror.put_image("pause", "live", LIVE)
        yield mirror


@asynccontextmanager
async def looking(
    path: Path, mirror: FakeRegistry, limits: Limits | None = None
) -> AsyncIterator[tuple[Mirroring, LookAhead]]:
    async with mirroring(path, mirror.url, limits=limits) as mirrored:
        ahead = LookAhead(mirrored.fills)
        ahead.follow(Means(NameTable({REGISTRY: []}), mirrored.tags, mirrored.blobs, 5.0))
        ahead.courtesy.quiet_s = 0.0
        mirrored.outbound.on_offline(ahead.interrupt)
        try:
            yield mirrored, ahead
        finally:
            await ahead.aclose()


async def serve(mirrored: Mirroring, ahead: LookAhead, digest: Digest) -> None:
    """What the edge does for a GET."""
    found = await mirrored.manifests.get(PAUSE, digest, mirrored.deadline())
    ahead.served(PAUSE, found.manifest)


async def kept(mirrored: Mirroring, *images: Image) -> list[bool]:
    found = await mirrored.store.sizes([one for each in images for one in layers(each)])
    return [all(one in found for one in layers(each)) for each in images]


def counted(mirrored: Mirroring, outcome: str) -> float:
    sample = mirrored.metrics.registry.get_sample_value
    return sample("entrepot_look_ahead_blobs_total", {"outcome": outcome}) or 0.0


async def test_the_layers_of_a_served_manifest_come_before_they_are_asked_for(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    async with looking(tmp_path, mirror) as (mirrored, ahead):
        await serve(mirrored, ahead, BIG.digest)
        await ahead.settled()
        assert await kept(mirrored, BIG, LIVE) == [True, False]
        assert counted(mirrored, "fetched") == len(BIG.blobs)
        sample = mirrored.metrics.registry.get_sample_value
        assert sample("entrepot_look_ahead_bytes_total") == sum(map(len, BIG.blobs))
        mirror.clear()
        await serve(mirrored, ahead, BIG.digest)
        await ahead.settled()
        assert mirror.requests == []


async def test_platforms_are_those_that_clients_have_asked_for(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    async with looking(tmp_path, mirror) as (mirrored, ahead):
        await serve(mirrored, ahead, index(PARTS).digest)
        await ahead.settled()
        assert not mirror.asked("/blobs/")
        for part in PARTS[:2]:
            await serve(mirrored, ahead, part.digest)
        await ahead.settled()
        assert list(ahead.platforms) == ["linux/amd64", "linux/arm64/v8"]
        assert await kept(mirrored, *PARTS) == [True, True, False]
        await serve(mirrored, ahead, index(NEXT).digest)
        await ahead.settled()
        assert await kept(mirrored, *NEXT) == [True, True, False]
        assert mirrored.manifests.peek(NEXT[1].digest) is not None
        assert mirrored.manifests.peek(NEXT[2].digest) is None


async def test_an_index_is_looked_at_again_when_another_platform_turns_up(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    async with looking(tmp_path, mirror) as (mirrored, ahead):
        await serve(mirrored, ahead, index(NEXT).digest)
        await serve(mirrored, ahead, index(PARTS).digest)
        await serve(mirrored, ahead, PARTS[2].digest)
        await serve(mirrored, ahead, index(NEXT).digest)
        await ahead.settled()
        assert await kept(mirrored, *NEXT) == [False, False, True]


async def test_live_reads_come_first(tmp_path: Path, mirror: FakeRegistry) -> None:
    async with looking(tmp_path, mirror) as (mirrored, ahead):
        mirror.bytes_per_second = 1_000_000.0
        await serve(mirrored, ahead, BIG.digest)
        while not len(mirrored.fills):
            await mirrored.fills.changed(1.0)
        wanted = sha256(LIVE.layers[0])
        reader = await mirrored.blobs.open(PAUSE, wanted, mirrored.deadline())
        while len(mirrored.fills) > 1:
            await mirrored.fills.changed(1.0)
        assert [fill.wanted.digest for fill in mirrored.fills] == [wanted]
        mirror.bytes_per_second = None
        assert await read_all(reader) == LIVE.layers[0]
        await ahead.settled()
        assert await kept(mirrored, BIG, LIVE) == [True, False]


async def test_a_client_joins_what_has_begun(tmp_path: Path, mirror: FakeRegistry) -> None:
    async with looking(tmp_path, mirror) as (mirrored, ahead):
        mirror.bytes_per_second = 4_000_000.0
        await serve(mirrored, ahead, BIG.digest)
        while mirrored.fills.get(sha256(BIG.layers[0])) is None:
            await mirrored.fills.changed(1.0)
        reader = await mirrored.blobs.open(PAUSE, sha256(BIG.layers[0]), mirrored.deadline())
        assert reader.source == "join"
        assert await read_all(reader) == BIG.layers[0]
        await ahead.settled()
        assert len(mirror.asked(f"/blobs/{sha256(BIG.layers[0])}")) == 1


@pytest.mark.parametrize("size", [1_000_000, 2_100_000])
async def test_nothing_is_brought_that_does_not_fit_as_it_is(
    tmp_path: Path, mirror: FakeRegistry, size: int
) -> None:
    async with looking(tmp_path, mirror, Limits(size)) as (mirrored, ahead):
        await serve(mirrored, ahead, BIG.digest)
        await ahead.settled()
        assert await mirrored.store.size(sha256(BIG.layers[0])) is None
        assert counted(mirrored, "no_room") == 1
        assert not mirror.asked(f"/blobs/{sha256(BIG.layers[0])}")


async def test_going_offline_ends_it_and_offline_nothing_begins(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    async with looking(tmp_path, mirror) as (mirrored, ahead):
        mirror.bytes_per_second = 100_000.0
        await serve(mirrored, ahead, BIG.digest)
        while mirrored.fills.get(sha256(BIG.layers[0])) is None:
            await mirrored.fills.changed(1.0)
        await mirrored.outbound.set_offline(True)
        assert len(mirrored.fills) == 0
        mirror.clear()
        await serve(mirrored, ahead, BIG.digest)
        await ahead.settled()
        assert mirror.requests == []
        mirror.bytes_per_second = None
        await mirrored.outbound.set_offline(False)
        await serve(mirrored, ahead, BIG.digest)
        await ahead.settled()
        assert await kept(mirrored, BIG) == [True]


async def test_one_that_cannot_be_had_does_not_keep_the_others(
    tmp_path: Path, mirror: FakeRegistry
) -> None:
    async with looking(tmp_path, mirror) as (mirrored, ahead):
        await mirrored.manifests.get(PAUSE, BIG.digest, mirrored.deadline())
        mirror.fault(Fault("status", path=f"/blobs/{sha256(BIG.blobs[0])}", status=404, times=None))
        await serve(mirrored, ahead, BIG.digest)
        await ahead.settled()
        assert counted(mirrored, "failed") == 1
        assert counted(mirrored, "fetched") == len(BIG.blobs) - 1
        await ahead.aclose()
        await serve(mirrored, ahead, LIVE.digest)
        assert await asyncio.wait_for(kept(mirrored, LIVE), 5) == [False]


async def test_turned_off_it_begins_nothing_more(tmp_path: Path, mirror: FakeRegistry) -> None:
    async with looking(tmp_path, mirror) as (mirrored, ahead):
        await mirrored.manifests.get(PAUSE, BIG.digest, mirrored.deadline())
        mirror.clear()
        ahead.follow(None)
        await serve(mirrored, ahead, BIG.digest)
        await ahead.settled()
        assert mirror.requests == []
