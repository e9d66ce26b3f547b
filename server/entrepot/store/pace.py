"""How fast the scrub reads: no faster than it may, and no faster than it has to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

LEAST_BYTES_PER_S = 1 << 20
"""However little there is and however long it may take: there is no good in standing still."""
COST_BYTES = 128 << 10
"""What finding a file costs, in bytes of reading: without it small ones would come by thousands."""
_HASTE = 1.25
_SHORTEST_S = 0.05


def rate_for(total_bytes: int, blobs: int, every_s: float, ceiling: int | None) -> float | None:
    """Bytes a second so that a round over everything is done well within `every_s`.

    `ceiling` is never exceeded; None is no ceiling, and then the answer may be anything.
    """
    if ceiling is None:
        return None
    needed = (total_bytes + blobs * COST_BYTES) / every_s * _HASTE
    return min(ceiling, max(LEAST_BYTES_PER_S, needed))


@dataclass(slots=True)
class Pace:
    """Keeps to `rate` bytes a second; None is as fast as it goes."""

    rate: float | None = None
    _debt_s: float = 0.0

    async def spent(self, count: int, *, whole: bool) -> None:
        """Wait for as long as `count` bytes should have taken; `whole`: a file is through."""
        if self.rate is None:
            return
        self._debt_s += (count + (COST_BYTES if whole else 0)) / self.rate
        if self._debt_s >= _SHORTEST_S:
            debt_s, self._debt_s = self._debt_s, 0.0
            await asyncio.sleep(debt_s)
