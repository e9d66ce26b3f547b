"""Work on the loop that may take long, in short turns: requests come in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

_TURN_S = 0.0005
_REST, _HURRIED_REST = 3, 1
_LONGEST_REST_S = 0.01


@dataclass(slots=True)
class Turns:
    """Others get the loop for three times as long as each turn was.

    For as long only while somebody waits for the work, as `hurried` tells. What was spent waiting
    may count as work: a rest is never long.
    """

    hurried: Callable[[], bool]
    _began: float = 0.0

    async def pause(self) -> None:
        """End this turn if it was long enough, and begin another; to be called often."""
        loop = asyncio.get_running_loop()
        worked_s = loop.time() - self._began
        if worked_s >= _TURN_S:
            rest = _HURRIED_REST if self.hurried() else _REST
            await asyncio.sleep(min(rest * worked_s, _LONGEST_REST_S))
            self._began = loop.time()
