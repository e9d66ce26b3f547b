"""A connection that carries only so many bytes a second."""

from __future__ import annotations

import asyncio

_LARGEST_BYTES = 64 << 10
_STEPS_PER_S = 50
_CATCH_UP_S = 0.1


class Pace:
    """Waits so that what passes averages `bytes_per_second`; waking late is made up for."""

    def __init__(self, bytes_per_second: float) -> None:
        self._rate = bytes_per_second
        self._due = 0.0

    @property
    def step_bytes(self) -> int:
        """How much to send at a time: a fiftieth of a second's worth, 64 KiB at most."""
        return max(1, min(_LARGEST_BYTES, int(self._rate / _STEPS_PER_S)))

    async def wait(self, count: int) -> None:
        """Return when `count` more bytes would have arrived at this rate."""
        now = asyncio.get_running_loop().time()
        # An idle connection saves nothing up; a late wake-up by the machine is not idleness.
        started = self._due if now - self._due < _CATCH_UP_S else now
        self._due = started + count / self._rate
        await asyncio.sleep(max(0.0, self._due - now))
