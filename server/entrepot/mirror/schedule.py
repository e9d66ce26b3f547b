"""Fetching ahead at times of the day."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from entrepot.mirror.prefetch import Prefetch
from entrepot.mirror.prefetchjob import Order
from entrepot.tasks import TaskOwner

_LONGEST_SLEEP_S = 60.0
"""Clocks are set, and machines sleep: what time it is has to be asked again and again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Appointment:
    """An order, and the minutes after midnight, local time, at which it is carried out."""

    minutes: tuple[int, ...]
    order: Order


def next_time(minutes: Iterable[int], after: datetime) -> datetime:
    """Tell when the next of these minutes of the day begins, later than `after`."""
    midnight = after.replace(hour=0, minute=0, second=0, microsecond=0)
    times = (
        (midnight + timedelta(days=day)).replace(hour=minute // 60, minute=minute % 60)
        for day in (0, 1)
        for minute in minutes
    )
    return min(time for time in times if time > after)


async def keep_appointments(
    prefetch: Prefetch,
    appointments: Sequence[Appointment],
    now: Callable[[], datetime] = datetime.now,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Start each order when its time has come, for as long as this runs.

    One whose last job has not ended is not started again: it would fetch the same.
    """
    due = [next_time(each.minutes, now()) for each in appointments]
    while appointments:
        wait_s = (min(due) - now()).total_seconds()
        await sleep(max(min(wait_s, _LONGEST_SLEEP_S), 0.0))
        time = now()
        busy = {job.order: job.number for job in prefetch.jobs() if not job.ended}
        for index, appointment in enumerate(appointments):
            if due[index] > time:
                continue
            due[index] = next_time(appointment.minutes, time)
            if appointment.order in busy:
                log.warning("prefetch.still_running", job=busy[appointment.order])
                continue
            _ = prefetch.start(appointment.order)


@dataclass(slots=True)
class Schedule:
    """Has the appointments of now kept; `aclose` ends that, and leaves the jobs alone.

    `keeping` is the task that does.
    """

    prefetch: Prefetch
    keeping: asyncio.Task[None] | None = None
    _appointments: tuple[Appointment, ...] = ()
    _owner: TaskOwner = field(default_factory=lambda: TaskOwner("schedule"))

    def follow(self, appointments: Sequence[Appointment]) -> None:
        """Keep these from now on, and no others. There is no await in it."""
        wanted = tuple(appointments)
        if wanted == self._appointments:
            return
        if self.keeping is not None:
            self.keeping.cancel()
        self._appointments = wanted
        self.keeping = self._owner.start(keep_appointments(self.prefetch, wanted), name="prefetch")

    async def aclose(self) -> None:
        """Keep none any more."""
        await self._owner.aclose()
