"""The disk fails, at each step that there is: whoever reads gets everything all the same."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from entrepot.errors import AllFailed, StoreError, TransferBroken
from entrepot.mirror.fetch import Fetch
from entrepot.mirror.overflow import Overflow, discard
from entrepot.mirror.places import Places
from entrepot.mirror.room import Room
from entrepot.mirror.wanted import Wanted
from entrepot.mirror.window import SEGMENT_BYTES, Window
from entrepot.oci.digest import Digest
from entrepot.store.durability import Durability
from failingdisk import break_writes, fill_for_a_while, fill_the_disk, lose_writes
from fakes.images import blob
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, Mirroring, mirroring, read_all
from unit.web.serving import until

MIB = 1 << 20
DATA = blob(4 * MIB, "overflow")
DIGEST = Digest.of(DATA)
RATE = 16 * MIB


def data_of(layer: Mirroring) -> Path:
    return layer.store.layout.partial(DIGEST) / "data"


def map_of(layer: Mirroring) -> Path:
    return layer.store.layout.partial(DIGEST) / "map"


def refuse_partials(layer: Mirroring, digest: Digest = DIGEST) -> None:
    """Where the journal of the download should be is a directory."""
    (layer.store.layout.partial(digest) / "map.new").mkdir(parents=True)


def refuse_blobs(layer: Mirroring) -> None:
    (layer.store.layout.blobs / "sha256").write_bytes(b"")


def wanted_of(layer: Mirroring) -> Wanted:
    return Wanted(DIGEST, layer.registry, PAUSE.repository)


def fetch_into(layer: Mirroring, window: Window) -> Fetch:
    return Fetch(
        wanted=wanted_of(layer),
        partial=window,
        rules=layer.fills.rules,
        set_aside=layer.fills.set_aside,
        metrics=layer.metrics,
        progressed=lambda: None,
    )


async def pull(layer: Mirroring) -> bytes:
    return await read_all(await layer.blobs.open(PAUSE, DIGEST, layer.deadline()))


async def pull_while(layer: Mirroring, mirror: FakeRegistry, fails: Callable[[], None]) -> None:
    """Eight readers, and the disk fails once a third is there."""
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(pull(layer)) for _ in range(8)]
        await mirror.until_sent(len(DATA) // 3, "/blobs/")
        await asyncio.to_thread(fails)
    assert all(task.result() == DATA for task in reading)
    await layer.fills.settled()


@pytest.mark.rule("P30")
async def test_a_download_that_cannot_begin_is_passed_on_to_all(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as layer:
        mirror.put_blob("pause", DATA)
        refuse_partials(layer)
        with capture_logs() as logs:
            got = await asyncio.gather(*(pull(layer) for _ in range(8)))
            await layer.fills.settled()
        assert all(one == DATA for one in got)
        [begun] = [one for one in logs if one["event"] == "fill.relays"]
        assert (begun["at"], "map.new" in begun["reason"]) == (0, True)
        assert mirror.bytes_sent("/blobs/") == len(DATA)
        assert layer.fills.relays.budget.left == 128 * MIB
        told = layer.metrics.render().decode()
        assert "entrepot_relays 0.0" in told
        assert f'entrepot_relayed_bytes_total{{registry="{PAUSE.registry}"}} 4.194304e+06' in told


@pytest.mark.rule("P30", "T-3")
@pytest.mark.parametrize("fails", [fill_the_disk, break_writes], ids=lambda one: one.__name__)
@pytest.mark.parametrize("file", [data_of, map_of], ids=["the bytes", "the journal"])
async def test_a_write_that_fails_in_the_middle_is_not_noticed_by_readers(
    file: Callable[[Mirroring], Path], fails: Callable[[Path], None], tmp_path: Path
) -> None:
    async with (
        FakeRegistry(bytes_per_second=RATE) as mirror,
        mirroring(tmp_path, mirror.url) as layer,
    ):
        mirror.put_blob("pause", DATA)
        with capture_logs() as logs:
            await pull_while(layer, mirror, lambda: fails(file(layer)))
        [begun] = [one for one in logs if one["event"] == "fill.relays"]
        assert begun["at"] > 0
        assert mirror.bytes_sent("/blobs/") < 2 * len(DATA)
        assert not layer.store.layout.partial(DIGEST).exists()
        assert await pull(layer) == DATA  # and the disk is well again
        await layer.fills.settled()
        assert await layer.store.size(DIGEST) == len(DATA)


@pytest.mark.rule("P30", "T-9")
async def test_after_a_lost_write_nothing_is_read_from_the_disk_any_more(tmp_path: Path) -> None:
    """It may change at any moment; everything is fetched anew and must be what it was."""
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as layer:
        mirror.put_blob("pause", DATA)
        layer.store._durability = Durability(MIB + 5, 0)  # the second write makes it due
        partial = await layer.store.begin(DIGEST)
        await partial.write(0, DATA[:MIB])
        lose_writes(data_of(layer))
        await partial.write(MIB, DATA[MIB : MIB + 10])
        await until(lambda: partial.lost)
        windows: list[Window] = []
        places = Places()
        place = places.enter(500_000)  # so far it has read
        received = bytearray(DATA[:500_000])

        def begun(window: Window) -> Fetch:
            windows.append(window)
            return fetch_into(layer, window)

        overflow = Overflow(
            wanted=wanted_of(layer),
            relays=layer.fills.relays,
            places=places,
            partial=partial,
            begun=begun,
            wrong=lambda: None,
        )
        running = asyncio.get_running_loop().create_task(
            overflow.run(len(DATA), StoreError("lost"))
        )
        await until(lambda: bool(windows))
        [window] = windows
        assert (window.base.at, window.vouched) == (0, MIB + 10)
        while (found := await window.wait(place, len(received), whole=True)) is not None:
            with await window.open(found[0]) as file:
                received += await asyncio.to_thread(
                    os.pread, file.fileno(), found[1] - len(received), len(received)
                )
        assert received == DATA
        places.leave(place)
        await running
        await discard(partial)


@pytest.mark.rule("P30")
async def test_a_blob_that_cannot_be_put_in_its_place_was_served_all_the_same(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as layer:
        mirror.put_blob("pause", DATA)
        refuse_blobs(layer)
        with capture_logs() as logs:
            assert await pull(layer) == DATA
            await layer.fills.settled()
        assert [one for one in logs if one["event"] == "blob.not_kept"]
        assert await pull(layer) == DATA


@dataclass(slots=True)
class MadeRoom(Room):
    """Room that is there once it has been asked for."""

    mend: Callable[[], None] = lambda: None
    asked: list[int] = field(default_factory=list)

    async def make_room(self, wanted_bytes: int) -> bool:
        self.asked.append(wanted_bytes)
        await asyncio.to_thread(self.mend)
        return True


@pytest.mark.rule("P30")
async def test_room_is_made_first_and_then_the_blob_is_kept(tmp_path: Path) -> None:
    async with (
        FakeRegistry(bytes_per_second=RATE) as mirror,
        mirroring(tmp_path, mirror.url) as layer,
    ):
        mirror.put_blob("pause", DATA)
        room = MadeRoom(layer.store, layer.catalog, layer.clock, layer.metrics.cache)
        layer.fills.room = room

        def fill() -> None:
            room.mend = fill_for_a_while(data_of(layer))

        with capture_logs() as logs:
            await pull_while(layer, mirror, fill)
        assert not [one for one in logs if one["event"] == "fill.relays"]
        assert len(room.asked) == 1
        assert MIB < room.asked[0] < len(DATA) + MIB
        assert await layer.store.size(DIGEST) == len(DATA)


@pytest.mark.rule("P30", "T-9", "U-13")
@pytest.mark.parametrize("size", [100_000, len(DATA)], ids=["small", "large"])
async def test_wrong_bytes_through_memory_are_never_completed(size: int, tmp_path: Path) -> None:
    data = DATA[:size]
    digest = Digest.of(data)
    async with (
        FakeRegistry() as liar,
        FakeRegistry() as honest,
        mirroring(tmp_path, liar.url, honest.url) as layer,
    ):
        for mirror in (liar, honest):
            mirror.put_blob("pause", data)
        liar.fault(Fault("flip", path="/blobs/", after_bytes=7, times=None))
        refuse_partials(layer, digest)

        async def pull_once() -> bytes:
            return await read_all(await layer.blobs.open(PAUSE, digest, layer.deadline()))

        if size == len(DATA):
            with pytest.raises(TransferBroken):
                await pull_once()
        assert await pull_once() == data  # a small one goes unnoticed
        assert len(liar.asked("/blobs/", "GET")) == 1


@pytest.mark.rule("P30", "T-9")
async def test_with_nobody_but_a_liar_it_ends(tmp_path: Path) -> None:
    async with FakeRegistry() as liar, mirroring(tmp_path, liar.url) as layer:
        liar.put_blob("pause", DATA)
        liar.fault(Fault("flip", path="/blobs/", after_bytes=7, times=None))
        refuse_partials(layer)
        with pytest.raises(TransferBroken):
            await pull(layer)
        await layer.fills.settled()
        assert len(liar.asked("/blobs/", "GET")) == 1


@pytest.mark.rule("P30", "T-2")
async def test_a_mirror_that_breaks_off_is_replaced(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as first,
        FakeRegistry() as second,
        mirroring(tmp_path, first.url, second.url) as layer,
    ):
        for mirror in (first, second):
            mirror.put_blob("pause", DATA)
        first.fault(Fault("reset", path="/blobs/", after_bytes=2 * MIB, times=None))
        refuse_partials(layer)
        got = await asyncio.gather(*(pull(layer) for _ in range(4)))
        assert all(one == DATA for one in got)
        assert second.bytes_sent("/blobs/") < len(DATA)


@pytest.mark.rule("P30", "P31")
async def test_without_any_mirror_the_error_is_the_mirrors(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as layer:
        mirror.fault(Fault("status", path="/blobs/", status=500, times=None))
        refuse_partials(layer)
        with pytest.raises(AllFailed, match="500"):
            await pull(layer)


@pytest.mark.rule("P30")
async def test_when_all_memory_is_in_use_it_says_so(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url, headers_s=0.2) as layer:
        mirror.put_blob("pause", DATA)
        refuse_partials(layer)
        async with layer.fills.relays.budget.share(128 * MIB, 1.0):
            with pytest.raises(StoreError, match="in use"):
                await pull(layer)
        assert await pull(layer) == DATA


@pytest.mark.rule("P30")
async def test_a_relay_that_nobody_reads_any_more_ends(tmp_path: Path) -> None:
    async with (
        FakeRegistry(bytes_per_second=RATE) as mirror,
        mirroring(tmp_path, mirror.url) as layer,
    ):
        mirror.put_blob("pause", DATA)
        refuse_partials(layer)
        reader = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
        await reader.wait(SEGMENT_BYTES)
        reader.close()
        await layer.fills.settled()
        assert mirror.bytes_sent("/blobs/") < len(DATA)


async def test_stopping_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    for turns in range(0, 40, 4):
        async with FakeRegistry() as mirror, mirroring(tmp_path / str(turns), mirror.url) as layer:
            mirror.put_blob("pause", DATA)
            refuse_partials(layer)
            pulling = asyncio.get_running_loop().create_task(pull(layer))
            for _ in range(turns):
                await asyncio.sleep(0.0005)
            if turns % 2:
                await layer.fills.aclose()
            pulling.cancel()
            await asyncio.wait([pulling])
