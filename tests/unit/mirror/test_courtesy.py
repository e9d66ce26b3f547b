"""Who waits for nobody gives way to whoever is waited for."""

from __future__ import annotations

import asyncio
from pathlib import Path

from entrepot.mirror.courtesy import Courtesy
from entrepot.tasks import TaskOwner
from fakes.images import image, sha256
from fakes.registry import FakeRegistry
from mirroring import PAUSE, Mirroring, mirroring, read_all

BIG = image("big", layers=(2_000_000,))
LIVE = image("live", layers=(400_000,))


async def begun(mirrored: Mirroring, mirror: FakeRegistry) -> None:
    mirror.put_image("pause", "big", BIG)
    mirror.put_image("pause", "live", LIVE)


async def test_a_fill_stands_back_and_goes_on_where_it_was(tmp_path: Path) -> None:
    digest = sha256(BIG.layers[0])
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as mirrored:
        await begun(mirrored, mirror)
        mirror.bytes_per_second = 1_000_000.0
        owner = TaskOwner("test")
        courtesy = Courtesy(mirrored.fills, quiet_s=0.1)
        await courtesy.turn()
        fill = await mirrored.blobs.fetch(PAUSE, digest, mirrored.deadline())
        assert fill is not None
        watched = owner.start(courtesy.watch(fill), name="watch")
        await fill.wait_opened()
        before = courtesy.standing_back
        reader = await mirrored.blobs.open(PAUSE, sha256(LIVE.layers[0]), mirrored.deadline())
        assert (before, courtesy.standing_back) == (False, True)
        assert await watched is False
        assert [each.wanted.digest for each in mirrored.fills] == [sha256(LIVE.layers[0])]
        assert await read_all(reader) == LIVE.layers[0]
        await mirrored.fills.settled()
        await courtesy.turn()
        mirror.bytes_per_second = None
        mirror.clear()
        fill = await mirrored.blobs.fetch(PAUSE, digest, mirrored.deadline())
        assert fill is not None
        assert await courtesy.watch(fill) is True
        assert await mirrored.store.size(digest) == 2_000_000
        assert await mirrored.blobs.fetch(PAUSE, digest, mirrored.deadline()) is None


async def test_a_fill_that_a_client_has_joined_is_the_clients(tmp_path: Path) -> None:
    digest = sha256(BIG.layers[0])
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as mirrored:
        await begun(mirrored, mirror)
        mirror.bytes_per_second = 2_000_000.0
        owner = TaskOwner("test")
        courtesy = Courtesy(mirrored.fills, quiet_s=0.0)
        fill = await mirrored.blobs.fetch(PAUSE, digest, mirrored.deadline())
        assert fill is not None
        watched = owner.start(courtesy.watch(fill), name="watch")
        reader = await mirrored.blobs.open(PAUSE, digest, mirrored.deadline())
        assert reader.source == "join"
        assert courtesy.standing_back
        assert await read_all(reader) == BIG.layers[0]
        assert await watched is True


async def test_cancelled_it_stops_what_nobody_reads(tmp_path: Path) -> None:
    digest = sha256(BIG.layers[0])
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as mirrored:
        await begun(mirrored, mirror)
        mirror.bytes_per_second = 100_000.0
        owner = TaskOwner("test")
        courtesy = Courtesy(mirrored.fills)
        fill = await mirrored.blobs.fetch(PAUSE, digest, mirrored.deadline())
        assert fill is not None
        watched = owner.start(courtesy.watch(fill), name="watch")
        await fill.wait_opened()
        watched.cancel()
        await asyncio.wait([watched])
        assert watched.cancelled()
        assert len(mirrored.fills) == 0
        [left] = await mirrored.store.partials()
        assert left.digest == digest
