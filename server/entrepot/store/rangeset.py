"""Which bytes of a file are there: an immutable set of half-open intervals."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

Interval = tuple[int, int]

_start = itemgetter(0)
_stop = itemgetter(1)


@dataclass(frozen=True, slots=True)
class RangeSet:
    """Offsets as sorted intervals [start, stop) that neither overlap nor touch.

    Values never change, so one thread may replace what another is looking at. Arguments that are
    not `0 <= start <= stop` raise ValueError; an empty interval adds and removes nothing.
    """

    intervals: tuple[Interval, ...] = ()

    def __iter__(self) -> Iterator[Interval]:
        return iter(self.intervals)

    def __bool__(self) -> bool:
        return bool(self.intervals)

    def __contains__(self, offset: int) -> bool:
        return self.contiguous_end(offset) > offset

    @property
    def total(self) -> int:
        """How many offsets are in the set."""
        return sum(stop - start for start, stop in self.intervals)

    @property
    def end(self) -> int:
        """One past the last offset; 0 for the empty set."""
        return self.intervals[-1][1] if self.intervals else 0

    def add(self, start: int, stop: int) -> RangeSet:
        """Return this set and [start, stop)."""
        if _is_empty(start, stop):
            return self
        first = bisect_left(self.intervals, start, key=_stop)
        last = bisect_right(self.intervals, stop, key=_start)
        if first < last:
            start = min(start, self.intervals[first][0])
            stop = max(stop, self.intervals[last - 1][1])
        return RangeSet((*self.intervals[:first], (start, stop), *self.intervals[last:]))

    def remove(self, start: int, stop: int) -> RangeSet:
        """Return this set without [start, stop)."""
        if _is_empty(start, stop):
            return self
        first = bisect_right(self.intervals, start, key=_stop)
        last = bisect_left(self.intervals, stop, key=_start)
        cut = self.intervals[first:last]
        left = tuple((a, start) for a, _ in cut[:1] if a < start)
        right = tuple((stop, b) for _, b in cut[-1:] if stop < b)
        return RangeSet((*self.intervals[:first], *left, *right, *self.intervals[last:]))

    def covers(self, start: int, stop: int) -> bool:
        """Whether all of [start, stop) is in the set; always so for an empty interval."""
        return _is_empty(start, stop) or self.contiguous_end(start) >= stop

    def contiguous_end(self, offset: int) -> int:
        """Return the end of the interval that `offset` is in, or `offset` when it is in none."""
        index = bisect_right(self.intervals, offset, key=_start) - 1
        return max(offset, self.intervals[index][1]) if index >= 0 else offset

    def missing(self, start: int, stop: int) -> tuple[Interval, ...]:
        """List the parts of [start, stop) that are not in the set, in order."""
        if _is_empty(start, stop):
            return ()
        gaps = []
        first = bisect_right(self.intervals, start, key=_stop)
        for a, b in self.intervals[first:]:
            if a >= stop:
                break
            if start < a:
                gaps.append((start, a))
            start = b
        if start < stop:
            gaps.append((start, stop))
        return tuple(gaps)


EMPTY = RangeSet()


def _is_empty(start: int, stop: int) -> bool:
    if not 0 <= start <= stop:
        raise ValueError(f"not a range of bytes: [{start}, {stop})")
    return start == stop
