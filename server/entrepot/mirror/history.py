"""How it went of late: sums taken every few seconds, in two rings that never grow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from entrepot.metrics import Tally

FINE_S, FINE_STEPS = 10.0, 360
"""An hour."""
COARSE_S, COARSE_STEPS = 600.0, 144
"""A day."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Sums since the start of the server, at a time of the epoch."""

    at: float
    requests: int
    hits: int
    sent_bytes: int
    fetched_bytes: int


@dataclass(frozen=True, slots=True)
class Step:
    """What happened between two samples; `at` is when it ended. `hit_rate` is None for nothing."""

    at: float
    seconds: float
    hit_rate: float | None
    sent_bytes: int
    fetched_bytes: int

    @property
    def saved_bytes(self) -> int:
        """What did not come over the link; negative when more came than was passed on."""
        return self.sent_bytes - self.fetched_bytes


@dataclass(slots=True)
class History:
    """Takes samples of `tally` while `run` runs; `clock` is the wall clock."""

    tally: Tally
    clock: Callable[[], float]
    _fine: deque[Sample] = field(default_factory=lambda: deque(maxlen=FINE_STEPS + 1))
    _coarse: deque[Sample] = field(default_factory=lambda: deque(maxlen=COARSE_STEPS + 1))

    async def run(self) -> None:
        """Take samples until cancelled."""
        while True:
            self.take()
            await asyncio.sleep(FINE_S)

    def take(self) -> None:
        """Take one sample now."""
        tally = self.tally
        sample = Sample(
            self.clock(), tally.requests, tally.hits, tally.sent_bytes, tally.fetched_bytes
        )
        self._fine.append(sample)
        # A little early: samples are never quite on time.
        if not self._coarse or sample.at - self._coarse[-1].at >= COARSE_S - FINE_S / 2:
            self._coarse.append(sample)

    def hour(self) -> tuple[Step, ...]:
        """Tell the last hour, in steps of ten seconds."""
        return _steps(self._fine)

    def day(self) -> tuple[Step, ...]:
        """Tell the last day, in steps of ten minutes; the last one up to now."""
        return _steps([*self._coarse, *list(self._fine)[-1:]])


def _steps(samples: deque[Sample] | list[Sample]) -> tuple[Step, ...]:
    return tuple(_step(one, other) for one, other in pairwise(samples) if other.at > one.at)


def _step(one: Sample, other: Sample) -> Step:
    requests = other.requests - one.requests
    return Step(
        at=other.at,
        seconds=other.at - one.at,
        hit_rate=(other.hits - one.hits) / requests if requests else None,
        sent_bytes=other.sent_bytes - one.sent_bytes,
        fetched_bytes=other.fetched_bytes - one.fetched_bytes,
    )
