"""Which bytes are asked for next: the head first, nothing twice, nobody waiting for a slow one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.mirror.plan import (
    FIRST_PART_BYTES,
    LARGEST_PART_BYTES,
    MIB,
    STEAL_BYTES,
    Part,
    Situation,
    Transfer,
    next_part,
    part_length,
    urgent_part,
)
from entrepot.store.rangeset import RangeSet

SIZE = 100 * MIB


def situation(
    *transfers: Transfer,
    written: RangeSet | None = None,
    wanted: tuple[int, ...] = (),
    lanes: int = 3,
    size: int = SIZE,
    now: float = 10.0,
) -> Situation:
    return Situation(size, written or RangeSet(), transfers, wanted, lanes, now, patience_s=2.0)


def moving(
    at: int, stop: int, *, rate: float | None = None, moved: float = 10.0, mirror: str = "a"
) -> Transfer:
    return Transfer(mirror, at, stop, moved, rate)


def test_alone_everything_that_is_missing_is_asked_for_at_once() -> None:
    assert next_part(situation(lanes=1), None) == Part(0, SIZE)
    half = RangeSet().add(0, SIZE // 2)
    assert next_part(situation(lanes=1, written=half), 1e6) == Part(SIZE // 2, SIZE)


@pytest.mark.rule("T-2")
def test_what_two_stalled_mirrors_owe_is_asked_of_a_third() -> None:
    there = RangeSet().add(0, 10 * MIB)
    stalled = [moving(10 * MIB, 12 * MIB, moved=0.0, mirror=name) for name in "ab"]
    last = 12 * MIB
    owed = situation(*stalled, written=there, wanted=(10 * MIB,), size=last)
    assert next_part(owed, None) == Part(10 * MIB, last)
    helped = situation(*stalled, moving(10 * MIB, last, mirror="c"), written=there, size=last)
    assert next_part(helped, None) is None


def test_the_head_goes_first_and_parts_follow_one_another() -> None:
    first = next_part(situation(), None)
    assert first == Part(0, FIRST_PART_BYTES)
    second = next_part(situation(moving(0, FIRST_PART_BYTES)), None)
    assert second == Part(FIRST_PART_BYTES, 2 * FIRST_PART_BYTES)


def test_a_fast_mirror_is_asked_for_more_at_a_time_within_bounds_and_its_share() -> None:
    plenty = situation(size=1000 * MIB)
    assert part_length(plenty, 1000 * MIB, 10 * MIB) == 15 * MIB
    assert part_length(plenty, 1000 * MIB, 900 * MIB) == LARGEST_PART_BYTES
    assert part_length(plenty, 1000 * MIB, 1.0) == FIRST_PART_BYTES
    assert part_length(plenty, 6 * MIB, 10 * MIB) == 2 * MIB  # the end is shared out
    assert part_length(plenty, MIB, 10 * MIB) == MIB


@pytest.mark.rule("L-3", "T-6")
def test_a_reader_far_ahead_is_served_before_the_head() -> None:
    carrier = moving(0, SIZE, rate=10 * MIB)
    part = next_part(situation(carrier, wanted=(60 * MIB,)), 10 * MIB)
    assert part is not None
    assert (part.start, part.shortened) == (60 * MIB, carrier)
    near = situation(carrier, wanted=(15 * MIB,))  # there in 1.5 s: the reader waits
    assert urgent_part(near, 10 * MIB) is None
    assert urgent_part(situation(carrier, wanted=(60 * MIB,)), None) is not None


def test_a_wanted_gap_that_nobody_brings_comes_first() -> None:
    busy = moving(0, 4 * MIB, rate=MIB)
    part = next_part(situation(busy, wanted=(70 * MIB,)), 10 * MIB)
    assert part is not None
    assert part.start == 70 * MIB
    assert part.shortened is None


def test_what_a_stalled_mirror_owes_is_asked_for_again_once() -> None:
    stalled = moving(2 * MIB, 4 * MIB, moved=7.0)
    there = RangeSet().add(0, 2 * MIB).add(4 * MIB, SIZE)
    assert next_part(situation(stalled, written=there), None) == Part(2 * MIB, 4 * MIB)
    again = moving(2 * MIB, 4 * MIB, mirror="b")
    assert next_part(situation(stalled, again, written=there), None) is None


def test_the_end_of_a_slow_transfer_is_taken_over_where_both_end_together() -> None:
    slow = moving(60 * MIB, SIZE, rate=MIB)
    there = RangeSet().add(0, 60 * MIB)
    part = next_part(situation(slow, written=there), 3 * MIB)
    assert part == Part(70 * MIB, SIZE, shortened=slow)


def test_what_a_crawling_mirror_owes_is_asked_of_another_as_well() -> None:
    crawling = moving(1000, 900_000, rate=2000.0)
    there = RangeSet().add(0, 1000)
    view = situation(crawling, written=there, size=900_000)
    assert next_part(view, None) == Part(1000, 900_000)
    again = moving(1000, 900_000, mirror="b")
    assert next_part(situation(crawling, again, written=there, size=900_000), None) is None


def test_a_transfer_that_ends_soon_is_left_alone() -> None:
    soon = moving(SIZE - 2 * STEAL_BYTES, SIZE, rate=100 * MIB)
    there = RangeSet().add(0, SIZE - 2 * STEAL_BYTES)
    assert next_part(situation(soon, written=there), 100 * MIB) is None


def test_half_of_an_endless_transfer_is_taken_while_no_speed_is_known() -> None:
    part = next_part(situation(moving(0, SIZE)), None)
    assert part is not None
    assert part.start == SIZE // 2


@given(seed=st.integers(0, 2**32), lanes=st.integers(1, 4), size=st.integers(1, 300 * MIB))
def test_whatever_the_speeds_every_byte_is_brought_and_it_ends(
    seed: int, lanes: int, size: int
) -> None:
    """A simulation: mirrors of random speeds bring what is asked; parts stay within the blob."""
    chance = random.Random(seed)
    rates = [chance.uniform(1, 50) * MIB for _ in range(lanes)]  # 300 MiB within 3,000 steps
    written, running, fetched = RangeSet(), dict[int, Transfer](), 0
    now = 0.0
    for _ in range(5000):
        for lane in range(lanes):
            if lane not in running:
                view = situation(
                    *running.values(), written=written, lanes=lanes, size=size, now=now
                )
                part = next_part(view, rates[lane])
                if part is not None:
                    assert 0 <= part.start < part.stop <= size
                    if part.shortened is not None:
                        part.shortened.stop = part.start
                    running[lane] = Transfer(str(lane), part.start, part.stop, now)
        if written.total == size:
            break
        now += 0.1
        for lane, transfer in list(running.items()):
            count = min(round(rates[lane] * 0.1), transfer.left)
            written = written.add(transfer.at, transfer.at + count)
            transfer.at += count
            transfer.rate, transfer.moved = rates[lane], now
            fetched += count
            if not transfer.left:
                del running[lane]
    assert written.total == size
    assert fetched <= size * 1.05 + lanes * MIB
