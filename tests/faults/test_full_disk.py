"""The disk is full: what cannot be kept is passed on, to everybody, and right."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fakes.fault import Fault
from fakes.images import blob, image, sha256
from fakes.registry import FakeRegistry
from faults.pulling import Puller
from faults.slowreader import Received, read
from faults.smalldisk import MIB, files, fill_up, free_bytes, relay_memory_bytes, small_disk
from programs.entrepot import Entrepot
from unit.web.serving import NS, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

DATA = blob(48 * MIB, "larger than the disk")
TARGET = f"/v2/pause/blobs/{sha256(DATA)}{NS}"
PART = ("Range", "bytes=30000000-30999999")
DISK_BYTES = 8 * MIB
MOST_MEMORY = 24 * MIB


@asynccontextmanager
async def entrepot_on(
    disk: Path, path: Path, *mirrors: FakeRegistry, **settings: object
) -> AsyncIterator[Entrepot]:
    registry = {"aliases": ["k8s.gcr.io"], "mirrors": [{"url": mirror.url} for mirror in mirrors]}
    config: Mapping[str, object] = {
        "registries": {"registry.k8s.io": registry},
        "cache": {"path": str(disk)},
        **settings,
    }
    async with Entrepot(config, path / "entrepot") as entrepot:
        yield entrepot


def address_of(entrepot: Entrepot) -> str:
    return entrepot.url.removeprefix("http://")


async def until_no_relay(entrepot: Entrepot) -> None:
    await until(lambda: relay_memory_bytes(entrepot.pid) == 0, timeout_s=20.0)


@asynccontextmanager
async def watched_memory(entrepot: Entrepot) -> AsyncIterator[list[int]]:
    """The most that relays held at a time, in the only item once the block has ended."""
    most = [0]

    async def watch() -> None:
        while True:
            most[0] = max(most[0], relay_memory_bytes(entrepot.pid))
            await asyncio.sleep(0.02)

    watching = asyncio.get_running_loop().create_task(watch())
    try:
        yield most
    finally:
        watching.cancel()
        await asyncio.wait([watching])


def assert_right(received: Received) -> None:
    assert (received.status, received.whole) == (200, True)
    assert sha256(received.body) == sha256(DATA)


@pytest.mark.rule("P30", "T-3", "T-9")
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
async def test_eight_clients_of_a_blob_larger_than_the_disk_all_get_it(
    kind: str, figures: list[str], tmp_path: Path
) -> None:
    speeds = [None, None, 60.0, 40.0, 30.0, 25.0, 20.0, 15.0]
    with small_disk(tmp_path, DISK_BYTES * (1 + (kind == "ext4")), kind) as disk:
        async with (
            FakeRegistry(bytes_per_second=40 * MIB) as mirror,
            entrepot_on(disk, tmp_path, mirror) as entrepot,
        ):
            mirror.put_blob("pause", DATA)
            before = free_bytes(disk)
            address = address_of(entrepot)
            async with watched_memory(entrepot) as most, asyncio.TaskGroup() as group:
                whole = [
                    group.create_task(read(address, TARGET, bytes_per_second=speed and speed * MIB))
                    for speed in speeds
                ]
                group.create_task(read(address, TARGET, leave_after=len(DATA) // 2))
                part = group.create_task(read(address, TARGET, PART))
                await mirror.until_sent(len(DATA) // 2, "/blobs/", timeout_s=60.0)
                late = group.create_task(read(address, TARGET))
                rest = group.create_task(read(address, TARGET, ("Range", "bytes=40000000-")))
            for task in [*whole, late]:
                assert_right(task.result())
            assert (part.result().status, part.result().body) == (206, DATA[30000000:31000000])
            assert (rest.result().status, rest.result().body) == (206, DATA[40000000:])
            await until_no_relay(entrepot)
            await until(lambda: free_bytes(disk) > before - MIB)
            assert not [name for name in files(disk) if not name.startswith("blobs/")]
            fetched = mirror.bytes_sent("/blobs/") / len(DATA)
            assert 0 < most[0] < MOST_MEMORY
            assert entrepot.log().count("fill.relays") >= 1
    figures.append(
        f"{kind} full, 8 clients and 3 more of {len(DATA) >> 20} MiB: all right, fetched"
        f" {fetched:.2f} times, {most[0] / MIB:.1f} MiB of memory"
    )


@pytest.mark.rule("P30", "T-2")
async def test_a_mirror_that_breaks_off_is_replaced_in_the_middle_of_a_relay(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path, DISK_BYTES) as disk:
        async with (
            FakeRegistry(bytes_per_second=60 * MIB) as first,
            FakeRegistry() as second,
            entrepot_on(disk, tmp_path, first, second) as entrepot,
        ):
            for mirror in (first, second):
                mirror.put_blob("pause", DATA)
            # Both give some of the part on the disk; one of them dies in the part that is not.
            first.fault(Fault("reset", path="/blobs/", after_bytes=20 * MIB, times=None))
            second.fault(Fault("reset", path="/blobs/", after_bytes=20 * MIB, times=2))
            async with asyncio.TaskGroup() as group:
                reading = [group.create_task(read(address_of(entrepot), TARGET)) for _ in range(8)]
            for task in reading:
                assert_right(task.result())
            await until_no_relay(entrepot)


@pytest.mark.rule("P30", "T-9")
async def test_nobody_completes_what_a_lying_mirror_sends_through_memory(tmp_path: Path) -> None:
    with small_disk(tmp_path, DISK_BYTES) as disk:
        async with (
            FakeRegistry() as liar,
            FakeRegistry() as honest,
            entrepot_on(disk, tmp_path, liar) as entrepot,
        ):
            for mirror in (liar, honest):
                mirror.put_blob("pause", DATA)
            liar.fault(Fault("flip", path="/blobs/", after_bytes=30 * MIB, times=None))
            async with asyncio.TaskGroup() as group:
                reading = [group.create_task(read(address_of(entrepot), TARGET)) for _ in range(8)]
            assert not [task for task in reading if task.result().whole]
            await until_no_relay(entrepot)
            assert not files(disk)


@pytest.mark.rule("P30", "T-9", "T-4")
async def test_after_a_lie_through_memory_the_honest_mirror_serves_who_comes_back(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path, DISK_BYTES) as disk:
        async with (
            FakeRegistry() as liar,
            FakeRegistry() as honest,
            entrepot_on(disk, tmp_path, liar, honest) as entrepot,
        ):
            liar.put_blob("pause", DATA)
            liar.fault(Fault("flip", path="/blobs/", after_bytes=30 * MIB, times=None))
            address = address_of(entrepot)
            cut = await read(address, TARGET)
            assert not cut.whole
            honest.put_blob("pause", DATA)
            assert_right(await read(address, TARGET))
            await until_no_relay(entrepot)


@pytest.mark.rule("P30", "P6")
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
async def test_an_image_is_pulled_through_a_disk_that_is_full_from_the_start(
    kind: str, tmp_path: Path
) -> None:
    picture = image("full from the start", layers=[3 * MIB, 100_000, 500])
    with small_disk(tmp_path, DISK_BYTES, kind) as disk:
        async with (
            FakeRegistry() as mirror,
            entrepot_on(disk, tmp_path, mirror) as entrepot,
        ):
            mirror.put_image("pause", "3.1", picture)
            other = fill_up(disk)
            async with asyncio.TaskGroup() as group:
                pullers = [Puller(address_of(entrepot)) for _ in range(4)]
                for puller in pullers:
                    group.create_task(puller.pull("pause", "3.1", picture))
            assert not any(one.counted.total() for one in pullers)
            await until_no_relay(entrepot)
            # Small things may find a block that the catalog or the ballast has just let go.
            kept = set(files(disk)) - {other.name}
            assert not [name for name in kept if not name.startswith("blobs/")]
            for name in kept:
                assert hashlib.sha256((disk / name).read_bytes()).hexdigest() == Path(name).name
            await entrepot.restart()
            await Puller(address_of(entrepot)).pull("pause", "3.1", picture)
            await until_no_relay(entrepot)
            other.unlink()
            await Puller(address_of(entrepot)).pull("pause", "3.1", picture)
            blobs = {sha256(data).hex for data in picture.blobs}
            await until(lambda: blobs <= {name.rpartition("/")[2] for name in files(disk)})


@pytest.mark.rule("P30")
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
async def test_a_disk_that_others_filled_to_the_last_block_is_made_room_on(
    kind: str, restarted: bool, tmp_path: Path
) -> None:
    old = image("in the way", layers=[4 * MIB, 100_000])
    new = image("wanted now", layers=[MIB, 100_000])
    with small_disk(tmp_path, DISK_BYTES * (1 + (kind == "ext4")), kind) as disk:
        async with FakeRegistry() as mirror, entrepot_on(disk, tmp_path, mirror) as entrepot:
            mirror.put_image("pause", "old", old)
            mirror.put_image("pause", "new", new)
            await Puller(address_of(entrepot)).pull("pause", "old", old)
            gone, wanted = ({sha256(data).hex for data in one.blobs} for one in (old, new))
            await until(lambda: gone <= blobs_on(disk))
            fill_up(disk)
            if restarted:
                await entrepot.restart()
            await Puller(address_of(entrepot)).pull("pause", "new", new)
            await until_no_relay(entrepot)
            await Puller(address_of(entrepot)).pull("pause", "new", new)
            await until(lambda: wanted <= blobs_on(disk))
            assert not gone & blobs_on(disk)
            assert (disk / "ballast").stat().st_size > 0


def blobs_on(disk: Path) -> set[str]:
    return {Path(name).name for name in files(disk) if name.startswith("blobs/")}
