"""How fast one connection brings bytes, measured while somebody wants them."""

from __future__ import annotations

from collections.abc import Callable

_FEWEST_BYTES = 256 << 10
_SHORTEST_S = 0.5
_SHORTEST_BODY_S = 0.1
_LARGE_BYTES = 8 << 20
"""A body that is smaller and comes faster was in some buffer already, and tells of memory."""
_LONGEST_GAP_S = 0.1


class Throughput:
    """Turns reads into samples of bytes a second, handed to `tell`; times in seconds.

    Between two reads the bytes keep coming, so short gaps count as reading. After a longer one, a
    reader with other things to do, the first read brings what came meanwhile: it is left out.
    """

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._ended: float | None = None
        self._bytes = 0
        self._seconds = 0.0

    def read(self, count: int, began: float, ended: float) -> None:
        """Take in one read."""
        gap = 0.0 if self._ended is None else began - self._ended
        self._ended = ended
        if gap > _LONGEST_GAP_S:
            return
        self._bytes += count
        self._seconds += ended - began + gap
        if self._bytes >= _FEWEST_BYTES and self._seconds >= _SHORTEST_S:
            self.finish()

    def finish(self) -> None:
        """Tell what was measured, if that is enough to mean anything."""
        large = self._bytes >= _LARGE_BYTES and self._seconds > 0
        if large or (self._bytes >= _FEWEST_BYTES and self._seconds >= _SHORTEST_BODY_S):
            self._tell(self._bytes / self._seconds)
        self._bytes, self._seconds = 0, 0.0
