"""One reader among others: from the disk, from memory, on its own."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from entrepot.errors import TransferBroken
from entrepot.mirror.blobs import BlobReader
from entrepot.oci.digest import Digest
from failingdisk import fill_the_disk
from fakes.images import blob
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, Mirroring, mirroring, read_all
from unit.web.serving import until

MIB = 1 << 20
DATA = blob(6 * MIB, "reader")
DIGEST = Digest.of(DATA)


def refuse_partials(layer: Mirroring) -> None:
    (layer.store.layout.partial(DIGEST) / "map.new").mkdir(parents=True)


def narrow(layer: Mirroring) -> None:
    """Two mebibytes of memory and little patience."""
    layer.fills.relays.window_bytes = 2 * MIB
    layer.fills.relays.patience_s = 0.2


async def opened(layer: Mirroring, *, whole: bool = True) -> BlobReader:
    reader = await layer.blobs.open(PAUSE, DIGEST, layer.deadline())
    reader.whole = whole
    return reader


async def step(reader: BlobReader, offset: int) -> bytes:
    """What one wait brings."""
    stop = await reader.wait(offset)
    return await asyncio.to_thread(os.pread, reader.file.fileno(), stop - offset, offset)


@pytest.mark.rule("P30")
async def test_files_change_under_a_reader_and_bytes_do_not(tmp_path: Path) -> None:
    async with (
        FakeRegistry(bytes_per_second=24 * MIB) as mirror,
        mirroring(tmp_path, mirror.url) as layer,
    ):
        mirror.put_blob("pause", DATA)
        reader = await opened(layer)
        received, names, full = bytearray(), set(), False
        while len(received) < len(DATA):
            received += await step(reader, len(received))
            names.add(Path(f"/proc/self/fd/{reader.file.fileno()}").readlink().name)
            if len(received) > 2 * MIB and not full:
                full = True
                fill_the_disk(layer.store.layout.partial(DIGEST) / "data")
        assert received == DATA
        assert names == {"data", "memfd:entrepot-relay (deleted)"}
        assert await reader.wait(len(DATA)) == len(DATA)
        reader.close()
        await layer.fills.settled()


@pytest.mark.rule("P30", "L-3")
async def test_a_part_far_away_comes_alone_and_no_more_than_it(tmp_path: Path) -> None:
    async with (
        FakeRegistry(bytes_per_second=4 * MIB) as mirror,
        mirroring(tmp_path, mirror.url) as layer,
    ):
        mirror.put_blob("pause", DATA)
        narrow(layer)
        refuse_partials(layer)
        with capture_logs() as logs:
            reader = await opened(layer, whole=False)
            got = await read_all(reader, 5 * MIB, 5 * MIB + 1000)
            assert got == DATA[5 * MIB : 5 * MIB + 1000]
            await layer.fills.settled()
        [alone] = [one for one in logs if one["event"] == "relay.alone"]
        assert (alone["at"], alone["proves"]) == (5 * MIB, False)
        assert mirror.bytes_sent("/blobs/") < 4 * MIB


@pytest.mark.rule("P30", "T-9")
async def test_from_an_offset_to_the_end_all_before_it_is_proved_too(tmp_path: Path) -> None:
    for wrong in (False, True):
        async with FakeRegistry() as mirror, mirroring(tmp_path / str(wrong), mirror.url) as layer:
            mirror.put_blob("pause", DATA)
            if wrong:
                mirror.fault(Fault("flip", path="/blobs/", after_bytes=5, times=None))
            refuse_partials(layer)
            reading = read_all(await opened(layer), 5 * MIB)
            if wrong:
                with pytest.raises(TransferBroken):
                    await reading
            else:
                assert await reading == DATA[5 * MIB :]


@pytest.mark.rule("P30")
async def test_who_comes_when_the_beginning_is_gone_gets_it_all_the_same(tmp_path: Path) -> None:
    async with (
        FakeRegistry(bytes_per_second=24 * MIB) as mirror,
        mirroring(tmp_path, mirror.url) as layer,
    ):
        mirror.put_blob("pause", DATA)
        refuse_partials(layer)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(read_all(await opened(layer)))
            await until(lambda: layer.fills.get(DIGEST) is None)
            second = await opened(layer)
            third = await opened(layer)
            assert (second.source, third.source) == ("fill", "join")
            late = [group.create_task(read_all(each)) for each in (second, third)]
        assert {first.result(), *(task.result() for task in late)} == {DATA}
        assert len(mirror.asked("/blobs/", "GET")) == 2


@pytest.mark.rule("P30", "T-9")
@pytest.mark.parametrize("on_disk", [False, True], ids=["all in memory", "the start on disk"])
async def test_who_stands_still_goes_on_alone_and_delays_nobody(
    on_disk: bool, tmp_path: Path
) -> None:
    async with (
        FakeRegistry(bytes_per_second=24 * MIB) as mirror,
        mirroring(tmp_path, mirror.url) as layer,
    ):
        mirror.put_blob("pause", DATA)
        narrow(layer)
        if not on_disk:
            refuse_partials(layer)
        slow = await opened(layer)
        received = bytearray(await step(slow, 0))
        if on_disk:
            await mirror.until_sent(2 * MIB, "/blobs/")
            fill_the_disk(layer.store.layout.partial(DIGEST) / "data")
        with capture_logs() as logs:
            assert await read_all(await opened(layer)) == DATA  # after the patience with the slow
            while len(received) < len(DATA):
                received += await step(slow, len(received))
        assert received == DATA
        slow.close()
        events = [one["event"] for one in logs]
        assert ("relay.left_behind" in events, "relay.alone" in events) == (True, True)
        await layer.fills.settled()


async def test_a_reader_says_nothing_of_files_before_it_has_waited(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as layer:
        mirror.put_blob("pause", DATA)
        reader = await opened(layer)
        with pytest.raises(AssertionError):
            _ = reader.file
        assert reader.mirror in {"", "mirror0"}
        reader.failed()
        reader.close()


@pytest.mark.rule("P30", "T-9")
async def test_what_is_held_back_of_the_part_on_the_disk_is_read_there_once_proved(
    tmp_path: Path,
) -> None:
    """The disk is full within the last bytes of a blob, which wait for the proof of all."""
    small = DATA[: MIB // 2]
    digest = Digest.of(small)
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as layer:
        mirror.put_blob("pause", small)
        mirror.fault(Fault("drip", path="/blobs/", after_bytes=400_000, bytes_per_second=200_000))
        reader = await layer.blobs.open(PAUSE, digest, layer.deadline())
        received = bytearray(await step(reader, 0))
        await until(lambda: reader.mirror != "")
        partial = layer.store.layout.partial(digest) / "data"
        await until(lambda: partial.stat().st_size > 350_000)
        fill_the_disk(partial)
        while len(received) < len(small):
            received += await step(reader, len(received))
        assert received == small
        reader.close()
        await layer.fills.settled()
