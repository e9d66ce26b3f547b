"""A ceiling for what comes from one mirror, by the hour of the day."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence

from entrepot.config import BandwidthRule

_LARGEST_PIECE_BYTES = 1 << 20
_SMALLEST_PIECE_BYTES = 16 << 10
_PIECES_PER_S = 4
_LONGEST_SLEEP_S = 1.0


def rate_at(rules: Sequence[BandwidthRule], minute: int) -> int | None:
    """Tell the bytes a second allowed at a minute of the day, None for any number.

    The first rule whose hours cover the minute counts.
    """
    for rule in rules:
        if rule.hours is None or rule.hours.covers(minute):
            return rule.rate
    return None


class Pace:
    """Shared by all streams of a mirror: each waits until what came before has been paid for.

    A piece is taken first and paid for by waiting before the next, so that a wait that is cancelled
    costs nothing. `clock` tells local time.
    """

    def __init__(
        self,
        rules: Sequence[BandwidthRule],
        clock: Callable[[], dt.datetime] = dt.datetime.now,
    ) -> None:
        self._rules = tuple(rules)
        self._clock = clock
        self._due = 0.0

    @property
    def rate(self) -> int | None:
        """The ceiling now, in bytes a second."""
        if not self._rules:
            return None
        now = self._clock()
        return rate_at(self._rules, now.hour * 60 + now.minute)

    @property
    def piece_bytes(self) -> int:
        """How much to read at a time: little at a low rate, so that it comes evenly."""
        rate = self.rate
        if rate is None:
            return _LARGEST_PIECE_BYTES
        return min(max(rate // _PIECES_PER_S, _SMALLEST_PIECE_BYTES), _LARGEST_PIECE_BYTES)

    def wait(self, now: float) -> float:
        """Tell the seconds until the next piece may be read."""
        return 0.0 if self.rate is None else max(0.0, self._due - now)

    def spend(self, count: int, now: float) -> None:
        """Count bytes that came. Idle time is not saved up."""
        rate = self.rate
        if rate is not None:
            self._due = max(self._due, now) + count / rate

    async def ready(self) -> None:
        """Return when the next piece may be read; sooner, when an hour without a ceiling begins."""
        loop = asyncio.get_running_loop()
        while wait_s := self.wait(loop.time()):  # noqa: ASYNC110 - waits for time and nothing else
            await asyncio.sleep(min(wait_s, _LONGEST_SLEEP_S))
