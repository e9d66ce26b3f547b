"""Orders that are carried out every day."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from entrepot.mirror.names import NameTable
from entrepot.mirror.prefetch import Means, Prefetch
from entrepot.mirror.prefetchjob import Order
from entrepot.mirror.schedule import Appointment, Schedule, keep_appointments, next_time
from entrepot.tasks import TaskOwner
from mirroring import REGISTRY, mirroring

DAY = datetime.fromisoformat("2026-03-28T12:00")
LAST = datetime.fromisoformat("2026-12-31T23:59")


@pytest.mark.parametrize(
    ("minutes", "after", "expected"),
    [
        ((90,), DAY, DAY.replace(day=29, hour=1, minute=30)),
        ((13 * 60,), DAY, DAY.replace(hour=13)),
        ((12 * 60,), DAY, DAY.replace(day=29)),
        ((12 * 60,), DAY - timedelta(seconds=1), DAY),
        ((60, 23 * 60 + 59), DAY, DAY.replace(hour=23, minute=59)),
        ((0,), LAST, LAST + timedelta(minutes=1)),
    ],
)
def test_the_next_time_is_later(
    minutes: tuple[int, ...], after: datetime, expected: datetime
) -> None:
    assert next_time(minutes, after) == expected


class Clock:
    """Time goes by while somebody sleeps, and not otherwise."""

    def __init__(self, until: datetime) -> None:
        self.now = DAY
        self.until = until
        self.over = asyncio.Event()

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds <= 60
        self.now += timedelta(seconds=seconds)
        if self.now > self.until:
            self.over.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)


async def test_orders_are_started_when_their_time_has_come(tmp_path: Path) -> None:
    async with mirroring(tmp_path, offline=True) as mirrored:
        prefetch = Prefetch(Means(NameTable({REGISTRY: []}), mirrored.tags, mirrored.blobs, 5.0))
        one = Appointment((13 * 60, 14 * 60), Order(("one",), (), "schedule"))
        two = Appointment((13 * 60 + 30,), Order(("two",), (), "schedule"))
        clock = Clock(DAY.replace(hour=15))
        owner = TaskOwner("test")
        _ = owner.start(keep_appointments(prefetch, [one, two], clock, clock.sleep), name="keeper")
        await clock.over.wait()
        await owner.aclose()
        assert [job.order.images[0] for job in prefetch.jobs()] == ["one", "two", "one"]
        await prefetch.aclose()


async def test_one_that_still_runs_is_not_started_again(tmp_path: Path) -> None:
    async def forever(_: float) -> None:
        await asyncio.Event().wait()

    async with mirroring(tmp_path, "http://127.0.0.1:9") as mirrored:
        prefetch = Prefetch(
            Means(NameTable({REGISTRY: []}), mirrored.tags, mirrored.blobs, 5.0), sleep=forever
        )
        order = Order((f"{REGISTRY}/a:1",), (), "schedule")
        clock = Clock(DAY + timedelta(days=2))
        times = Appointment(tuple(range(0, 24 * 60, 60)), order)
        owner = TaskOwner("test")
        _ = owner.start(keep_appointments(prefetch, [times], clock, clock.sleep), name="keeper")
        await clock.over.wait()
        await owner.aclose()
        assert len(prefetch.jobs()) == 1
        await prefetch.aclose()


async def test_without_appointments_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    async with mirroring(tmp_path, offline=True) as mirrored:
        prefetch = Prefetch(Means(NameTable({REGISTRY: []}), mirrored.tags, mirrored.blobs, 5.0))
        await keep_appointments(prefetch, [])
        await prefetch.aclose()


async def test_a_schedule_follows_and_leaves_alone_what_is_the_same(tmp_path: Path) -> None:
    async with mirroring(tmp_path, offline=True) as mirrored:
        prefetch = Prefetch(Means(NameTable({REGISTRY: []}), mirrored.tags, mirrored.blobs, 5.0))
        schedule = Schedule(prefetch)
        schedule.follow([])
        one = Appointment((60,), Order(("one",), (), "schedule"))
        schedule.follow([one])
        keeping = schedule.keeping
        assert keeping is not None
        schedule.follow([Appointment((60,), Order(("one",), (), "schedule"))])
        assert schedule.keeping is keeping
        schedule.follow([Appointment((61,), one.order)])
        assert schedule.keeping is not keeping
        await asyncio.wait([keeping])
        assert keeping.cancelled()
        await schedule.aclose()
        await prefetch.aclose()
