"""What comes has a place or is not kept; nobody's answer suffers either way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from entrepot.errors import DiskFull, NoRoom
from entrepot.mirror.watermarks import Limits
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag
from entrepot.store.keeps import add_keep
from fakes.images import Image, blob, image
from fakes.registry import FakeRegistry
from mirroring import PAUSE, Mirroring, mirroring, read_all

LAYER = 300_000
LIMIT = 1_000_000
DAY_S = 86400.0


async def pull(layer: Mirroring, tag: str, picture: Image) -> None:
    served = await layer.tags.get(PAUSE, Tag(tag), layer.deadline())
    assert served.manifest.body == picture.manifest
    for data in picture.blobs:
        reader = await layer.blobs.open(PAUSE, Digest.of(data), layer.deadline())
        assert await read_all(reader) == data
    await layer.fills.settled()


def pictures(count: int) -> dict[str, Image]:
    return {f"v{number}": image(f"room {number}", layers=[LAYER]) for number in range(count)}


async def held(layer: Mirroring, *wanted: Image) -> list[bool]:
    return [await layer.store.size(one.digest) is not None for one in wanted]


async def test_a_blob_that_was_fetched_is_entered_with_its_origin(tmp_path: Path) -> None:
    picture = image("entered", layers=[3000])
    digest = Digest.of(picture.layers[0])
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", picture)
        await layer.tags.get(PAUSE, Tag("3.1"), layer.deadline())
        await read_all(await layer.blobs.open(PAUSE, digest, layer.deadline()))
        await layer.fills.settled()
        blob = await layer.catalog.blob(digest)
        assert blob is not None
        assert (blob.size, blob.registry, blob.mirror) == (3000, PAUSE.registry, "mirror0")
        assert blob.used_at == layer.clock.now
        totals = await layer.catalog.totals()
        assert (totals.blobs, totals.bytes) == (2, 3000 + len(picture.manifest))
        assert layer.fills.room.accounts.kept == totals.bytes


async def test_the_image_that_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    made = pictures(4)
    async with (
        FakeRegistry() as registry,
        mirroring(tmp_path, registry.url, limits=Limits(LIMIT), tag_ttl_s=100 * DAY_S) as layer,
    ):
        for tag, picture in made.items():
            registry.put_image("pause", tag, picture)
            await pull(layer, tag, picture)
            layer.clock.now += DAY_S
        assert await held(layer, *made.values()) == [False, False, True, True]
        assert (await layer.catalog.totals()).bytes <= LIMIT
        assert layer.manifests.peek(made["v0"].digest) is None
        await pull(layer, "v0", made["v0"])
        assert await held(layer, made["v0"]) == [True]


async def test_what_is_kept_stays_and_what_then_has_no_room_is_served_all_the_same(
    tmp_path: Path,
) -> None:
    made = pictures(5)
    keep = [f"{PAUSE.registry}/pause:v?"]
    async with (
        FakeRegistry() as registry,
        mirroring(tmp_path, registry.url, limits=Limits(LIMIT), keep=keep) as layer,
    ):
        for tag, picture in made.items():
            registry.put_image("pause", tag, picture)
            await pull(layer, tag, picture)
            layer.clock.now += DAY_S
        blobs = [await layer.store.size(Digest.of(one.layers[0])) for one in made.values()]
        assert blobs == [LAYER, LAYER, LAYER, None, None]
        assert await layer.store.partials() == []
        assert layer.fills.room.accounts.left == {}


async def test_a_pattern_told_at_run_time_counts_at_once(tmp_path: Path) -> None:
    made = pictures(3)
    async with (
        FakeRegistry() as registry,
        mirroring(tmp_path, registry.url, limits=Limits(LIMIT)) as layer,
    ):
        for tag, picture in made.items():
            registry.put_image("pause", tag, picture)
            await pull(layer, tag, picture)
            layer.clock.now += DAY_S
        await add_keep(layer.catalog, f"{PAUSE.registry}/pause:v0", 1.0)
        evicted = await layer.fills.room.evict_now(LIMIT)
        assert evicted.images == 2
        assert await held(layer, *made.values()) == [True, False, False]


async def test_a_blob_larger_than_the_cache_is_served_and_not_kept(tmp_path: Path) -> None:
    big = blob(2 * LIMIT, "larger than the cache")
    async with (
        FakeRegistry() as registry,
        mirroring(tmp_path, registry.url, limits=Limits(LIMIT)) as layer,
    ):
        registry.put_blob("pause", big)
        first = await layer.blobs.open(PAUSE, Digest.of(big), layer.deadline())
        second = await layer.blobs.open(PAUSE, Digest.of(big), layer.deadline())
        assert await read_all(first) == big
        assert await read_all(second) == big
        await layer.fills.settled()
        assert await layer.store.size(Digest.of(big)) is None
        assert await layer.store.partials() == []
        assert (
            await read_all(await layer.blobs.open(PAUSE, Digest.of(big), layer.deadline())) == big
        )
        assert registry.bytes_sent("/blobs/") == 2 * len(big)


async def test_no_room_for_a_manifest_costs_no_answer(tmp_path: Path) -> None:
    picture = image("no room", layers=[10])
    async with (
        FakeRegistry() as registry,
        mirroring(tmp_path, registry.url, limits=Limits(100)) as layer,
    ):
        registry.put_image("pause", "3.1", picture)
        served = await layer.tags.get(PAUSE, Tag("3.1"), layer.deadline())
        assert served.manifest.body == picture.manifest
        assert (await layer.catalog.totals()).bytes == 0


async def test_room_for_somebody_who_found_the_disk_full(tmp_path: Path) -> None:
    made = pictures(2)
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        room = layer.fills.room
        assert not await room.make_room(1)
        for tag, picture in made.items():
            registry.put_image("pause", tag, picture)
            await pull(layer, tag, picture)
            layer.clock.now += DAY_S
        assert await room.make_room(1000)
        assert await held(layer, *made.values()) == [False, True]
        assert not await room.make_room(LIMIT)
        assert (await layer.catalog.totals()).bytes == 0
        assert room.accounts.demands == []


async def test_who_waits_for_room_may_be_cancelled_anywhere(tmp_path: Path) -> None:
    made = pictures(3)
    async with (
        FakeRegistry() as registry,
        mirroring(tmp_path, registry.url, limits=Limits(LIMIT)) as layer,
    ):
        room = layer.fills.room
        for tag, picture in made.items():
            registry.put_image("pause", tag, picture)
            await pull(layer, tag, picture)
            layer.clock.now += DAY_S
        for turns in range(12):
            digest = Digest.of(f"{turns}".encode())

            async def placing(digest: Digest = digest) -> None:
                async with room.place(digest, LIMIT // 2):
                    await asyncio.sleep(0)

            task = asyncio.ensure_future(placing())  # noqa: TID251 - awaited below
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        assert room.accounts.waiting == {}
        assert len(room.leases) == 0
        assert room.accounts.kept == (await layer.catalog.totals()).bytes


async def test_nothing_may_go_and_nobody_waits_for_long(tmp_path: Path) -> None:
    made = pictures(3)
    async with (
        FakeRegistry() as registry,
        mirroring(
            tmp_path, registry.url, limits=Limits(LIMIT), keep=[f"{PAUSE.registry}/*"]
        ) as layer,
    ):
        for tag, picture in made.items():
            registry.put_image("pause", tag, picture)
            await pull(layer, tag, picture)
        room = layer.fills.room
        with pytest.raises(NoRoom, match="no room for 200000 bytes"):
            async with room.place(Digest.of(b"new"), 200_000):
                pytest.fail("there is a place")
        with pytest.raises(NoRoom, match="more than the cache may have"):
            async with room.place(Digest.of(b"new"), LIMIT + 1):
                pytest.fail("there is a place")


async def test_what_is_on_the_disk_is_counted_at_the_start(tmp_path: Path) -> None:
    made = pictures(3)
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        for tag, picture in made.items():
            registry.put_image("pause", tag, picture)
            await pull(layer, tag, picture)
            layer.clock.now += 1
    async with mirroring(tmp_path, limits=Limits(LIMIT // 2)) as layer:
        room = layer.fills.room
        layer.clock.now += DAY_S
        await room.start()
        assert room.accounts.kept == (await layer.catalog.totals()).bytes
        await room.evict_now()
        assert room.accounts.kept <= LIMIT // 2
        assert await held(layer, *made.values()) == [False, False, True]


async def test_on_a_full_disk_work_is_done_once_more_if_room_could_be_made(tmp_path: Path) -> None:
    made = pictures(1)
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "v0", made["v0"])
        await pull(layer, "v0", made["v0"])
        layer.clock.now += DAY_S
        done: list[int] = []

        async def work() -> int:
            done.append(len(done))
            if len(done) % 2:
                raise DiskFull("no space")
            return len(done)

        assert await layer.fills.room.for_disk(work, lambda: 1000) == 2
        with pytest.raises(DiskFull):
            await layer.fills.room.for_disk(work, lambda: 1000)
        assert len(done) == 3
