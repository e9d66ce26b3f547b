"""Bytes in memory, as many as the readers are apart and no more."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest

from entrepot.errors import Corrupt, TransferBroken
from entrepot.mirror.places import Place, Places
from entrepot.mirror.wanted import HELD_BACK_BYTES
from entrepot.mirror.window import SEGMENT_BYTES, Checkpoint, PassedBy, Window
from entrepot.oci.digest import Digest
from entrepot.store.threads import DiskThreads
from fakes.images import blob

MIB = 1 << 20
DATA = blob(12 * MIB, "window")
DIGEST = Digest.of(DATA)
PIECE = 300_000


@pytest.fixture
async def threads() -> AsyncIterator[DiskThreads]:
    pool = DiskThreads("test", 2)
    yield pool
    await pool.aclose()


def window_of(
    threads: DiskThreads, base: int = 0, *, most: int = 4 * MIB, patience_s: float = 10.0
) -> Window:
    hasher = DIGEST.hasher()
    hasher.update(DATA[:base])
    return Window(
        DIGEST,
        Checkpoint(base, hasher),
        Places(),
        threads,
        size=len(DATA),
        most_bytes=most,
        patience_s=patience_s,
    )


async def bring(window: Window, data: bytes = DATA) -> None:
    while window.front < len(data):
        piece = data[window.front : window.front + PIECE]
        await window.write(window.front, [piece[:1000], piece[1000:]])


def received(data: bytes, given_back: list[int]) -> tuple[memoryview, Callable[[], None]]:
    return memoryview(data), lambda: given_back.append(len(data))


async def read(
    window: Window, place: Place, offset: int = 0, *, whole: bool = True, pause_s: float = 0.0
) -> bytes:
    received = bytearray()
    while (found := await window.wait(place, offset, whole=whole)) is not None:
        segment, stop = found
        assert offset < stop
        with await window.open(segment) as file:
            received += await asyncio.to_thread(os.pread, file.fileno(), stop - offset, offset)
        await asyncio.sleep(pause_s)
        offset = stop
    window.places.leave(place)
    return bytes(received)


async def test_readers_of_all_speeds_get_everything_and_memory_stays_bounded(
    threads: DiskThreads,
) -> None:
    window, most = window_of(threads), 0

    async def watch() -> None:
        nonlocal most
        while window.front < len(DATA):
            most = max(most, window.held_bytes)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        reading = [
            group.create_task(read(window, window.places.enter(), pause_s=pause_s))
            for pause_s in (0.0, 0.001, 0.01, 0.02)
        ]
        await bring(window)
        assert window.prove()
    assert all(task.result() == DATA for task in reading)
    assert 2 * MIB < most <= 4 * MIB + SEGMENT_BYTES + PIECE
    assert window.gone
    window.close()
    assert window.held_bytes == 0


async def test_nobody_reads_the_last_bytes_before_they_are_proved(threads: DiskThreads) -> None:
    window = window_of(threads, most=64 * MIB)
    await bring(window)
    place, offset = window.places.enter(), 0
    while offset < len(DATA) - HELD_BACK_BYTES:
        found = await window.wait(place, offset, whole=True)
        assert found is not None
        offset = found[1]
    assert offset == len(DATA) - HELD_BACK_BYTES
    part = window.places.enter()
    assert await window.wait(part, offset, whole=False) is not None
    waiting = asyncio.get_running_loop().create_task(window.wait(place, offset, whole=True))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert window.prove()
    assert await waiting is not None
    window.close()


async def test_what_is_received_comes_to_memory_too(threads: DiskThreads) -> None:
    window, given_back = window_of(threads, most=64 * MIB), list[int]()
    while window.front < len(DATA):
        at = window.front
        await window.write_from(at, partial(received, DATA[at : at + PIECE], given_back))
        assert window.front == min(at + PIECE, len(DATA))
    assert await window.write_from(window.front, partial(received, b"", given_back)) == 0
    assert sum(given_back) == len(DATA)
    assert given_back[-1] == 0
    assert window.prove()
    assert await read(window, window.places.enter()) == DATA
    window.close()


async def test_wrong_bytes_are_not_proved(threads: DiskThreads) -> None:
    window = window_of(threads, most=64 * MIB)
    await bring(window, DATA[:-1] + bytes([DATA[-1] ^ 1]))
    assert not window.prove()
    window.fail(TransferBroken("wrong"))
    with pytest.raises(TransferBroken, match="wrong"):
        await window.wait(window.places.enter(), 0, whole=True)
    window.close()


async def test_it_goes_on_where_the_disk_ended(threads: DiskThreads) -> None:
    window = window_of(threads, base=5 * MIB)
    ahead = window.places.enter(7 * MIB)
    async with asyncio.TaskGroup() as group:
        at_base = group.create_task(read(window, window.places.enter(1 * MIB), 5 * MIB))
        further = group.create_task(read(window, ahead, 7 * MIB))
        await bring(window)
        assert window.prove()
    assert at_base.result() == DATA[5 * MIB :]
    assert further.result() == DATA[7 * MIB :]
    window.close()


async def test_what_every_reader_is_past_is_only_hashed(threads: DiskThreads) -> None:
    window = window_of(threads, most=MIB)
    place = window.places.enter(11 * MIB)
    reading = asyncio.get_running_loop().create_task(read(window, place, 11 * MIB))
    await bring(window, DATA[: 10 * MIB])
    assert (window.held_bytes, window.gone) == (0, True)
    await bring(window)
    assert window.prove()
    assert await reading == DATA[11 * MIB :]
    window.close()


async def test_who_stands_still_is_left_behind_and_can_go_on_from_a_checkpoint(
    threads: DiskThreads,
) -> None:
    window = window_of(threads, patience_s=0.05)
    slow = window.places.enter()
    found = await asyncio.gather(window.write(0, DATA[:PIECE]), window.wait(slow, 0, whole=True))
    assert found[1] is not None
    segment = found[1][0]
    async with asyncio.TaskGroup() as group:
        quick = group.create_task(read(window, window.places.enter()))
        await bring(window)
        assert window.prove()
    assert quick.result() == DATA
    with pytest.raises(PassedBy):
        await window.wait(slow, PIECE, whole=True)
    again = Window(DIGEST, Checkpoint(segment.start, segment.hasher), Places(), threads)
    async with asyncio.TaskGroup() as group:
        rest = group.create_task(read(again, again.places.enter(PIECE), PIECE))
        await bring(again)
        assert again.prove()
    assert rest.result() == DATA[PIECE:]
    for each in (window, again):
        each.close()


async def test_a_single_reader_may_take_its_time(threads: DiskThreads) -> None:
    window = window_of(threads, patience_s=0.01)
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read(window, window.places.enter(), pause_s=0.03))
        await bring(window)
        assert window.prove()
    assert reading.result() == DATA
    window.close()


async def test_a_part_that_is_far_away_is_not_waited_for(threads: DiskThreads) -> None:
    window = window_of(threads)
    with pytest.raises(PassedBy):
        await window.wait(window.places.enter(), 5 * MIB, whole=False)
    window.close()


async def test_after_the_end_everything_is_gone(threads: DiskThreads) -> None:
    window = window_of(threads)
    await window.write(0, DATA[:PIECE])
    place = window.places.enter()
    found = await window.wait(place, 0, whole=False)
    assert found is not None
    window.close()
    with pytest.raises(PassedBy):
        await window.wait(place, PIECE, whole=True)
    with pytest.raises(ValueError, match="comes next"):
        await window.write(0, b"again")


@pytest.mark.parametrize("same", [True, False], ids=["the same", "others"])
async def test_bytes_that_readers_had_before_must_come_again(
    same: bool, threads: DiskThreads
) -> None:
    seen = DIGEST.hasher()
    seen.update(DATA[: 2 * MIB] if same else DATA[1 : 2 * MIB + 1])
    window = Window(
        DIGEST,
        Checkpoint(0, DIGEST.hasher()),
        Places(),
        threads,
        most_bytes=64 * MIB,
        agrees_with=Checkpoint(2 * MIB, seen),
    )
    assert window.vouched == 2 * MIB
    if same:
        await bring(window)
        assert window.prove()
    else:
        with pytest.raises(Corrupt, match="not what they were"):
            await bring(window)
    window.close()


async def test_a_cancelled_write_leaves_nothing_half_done(threads: DiskThreads) -> None:
    for turns in range(12):
        window = window_of(threads)
        place = window.places.enter()
        writing = asyncio.get_running_loop().create_task(bring(window))
        for _ in range(turns):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])
        reading = asyncio.get_running_loop().create_task(window.wait(place, 0, whole=False))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        window.close()
