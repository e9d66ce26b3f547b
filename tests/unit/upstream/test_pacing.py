"""Ceilings by the hour."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from entrepot.config import BandwidthRule, Hours
from entrepot.upstream.pacing import Pace, rate_at

MIB = 1 << 20
NIGHT = BandwidthRule(hours=Hours(60, 420), rate=None)
ALWAYS = BandwidthRule(rate=MIB)


def at(hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime(2026, 11, 23, hour, minute, tzinfo=dt.UTC)


@pytest.mark.parametrize(("minute", "rate"), [(0, MIB), (60, None), (419, None), (420, MIB)])
def test_the_first_rule_that_covers_the_minute_counts(minute: int, rate: int | None) -> None:
    assert rate_at([NIGHT, ALWAYS], minute) == rate
    assert rate_at([NIGHT], minute) is None
    assert rate_at([], minute) is None


def test_what_came_is_paid_for_by_all_together() -> None:
    pace = Pace([ALWAYS], lambda: at(12))
    assert pace.wait(100) == 0
    pace.spend(MIB // 2, 100)
    pace.spend(MIB // 2, 100)
    assert pace.wait(100) == 1
    assert pace.wait(101) == 0
    pace.spend(MIB, 200)  # idle time was not saved up
    assert pace.wait(200) == 1


def test_pieces_are_small_where_little_may_come() -> None:
    assert Pace([]).piece_bytes == MIB
    assert Pace([BandwidthRule(rate=100 * MIB)]).piece_bytes == MIB
    assert Pace([BandwidthRule(rate=MIB)]).piece_bytes == MIB // 4
    assert Pace([BandwidthRule(rate=1)]).piece_bytes == 16 << 10


def test_when_the_free_hours_begin_the_debt_is_forgotten() -> None:
    now = at(0, 59)
    pace = Pace([NIGHT, ALWAYS], lambda: now)
    pace.spend(100 * MIB, 0)
    assert pace.wait(0) == 100
    now = at(1)
    assert pace.wait(0) == 0
    assert pace.rate is None


async def test_waiting_is_real_and_may_be_cancelled() -> None:
    pace = Pace([ALWAYS], lambda: at(12))
    loop = asyncio.get_running_loop()
    await pace.ready()
    pace.spend(MIB // 20, loop.time())
    due = loop.time() + pace.wait(loop.time())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await pace.ready()
    await pace.ready()
    assert loop.time() >= due
