"""Samples in rings that never grow."""

from __future__ import annotations

import asyncio

import pytest

from entrepot.metrics import Tally
from entrepot.mirror.history import COARSE_STEPS, FINE_STEPS, History


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_steps_tell_what_happened_between_samples() -> None:
    tally, clock = Tally(), Clock()
    history = History(tally, clock)
    history.take()
    assert history.hour() == ()
    clock.now += 10
    history.take()
    tally.requests, tally.hits, tally.sent_bytes, tally.fetched_bytes = 4, 3, 1000, 100
    clock.now += 10
    history.take()
    quiet, busy = history.hour()
    assert (quiet.hit_rate, quiet.saved_bytes) == (None, 0)
    assert (busy.hit_rate, busy.saved_bytes, busy.seconds) == (0.75, 900, 10)


def test_a_day_is_told_in_steps_of_ten_minutes_up_to_now() -> None:
    tally, clock = Tally(), Clock()
    history = History(tally, clock)
    for _ in range(2 * 8640 + 31):
        tally.requests += 1
        history.take()
        clock.now += 10
    assert len(history.hour()) == FINE_STEPS
    day = history.day()
    assert len(day) == COARSE_STEPS + 1
    assert {step.seconds for step in day[:-1]} == {600}
    assert day[-1].at == history.hour()[-1].at


def test_a_clock_that_goes_back_makes_no_step() -> None:
    clock = Clock()
    history = History(Tally(), clock)
    history.take()
    clock.now -= 100
    history.take()
    assert history.hour() == ()


async def test_samples_are_taken_until_it_is_stopped() -> None:
    history = History(Tally(), Clock())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await history.run()
    assert len(history._fine) == 1
