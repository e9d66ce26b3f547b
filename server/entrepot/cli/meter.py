"""Bytes that pass, at the terminal: how many, how fast, and how long it will still take."""

from __future__ import annotations

import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from entrepot.cli.wording import size_text

_EVERY_S = 0.2
_WINDOW_S = 10.0
_BAR_CHARACTERS = 24


class Meter:
    """A line that is written over and over; nothing at all where `stream` is None."""

    def __init__(
        self,
        what: str,
        total: int,
        stream: TextIO | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self._stream = stream
        self._clock = clock
        self._told_at = float("-inf")
        self._seen: deque[tuple[float, int]] = deque([(clock(), 0)])

    def add(self, count: int) -> None:
        """So many bytes more."""
        self.set(self.done + count)

    def set(self, done: int, total: int | None = None) -> None:
        """So many bytes in all, of so many."""
        self.done = done
        self.total = self.total if total is None else total
        now = self._clock()
        self._seen.append((now, done))
        while now - self._seen[0][0] > _WINDOW_S and len(self._seen) > 2:
            self._seen.popleft()
        if self._stream is not None and now - self._told_at >= _EVERY_S:
            self._told_at = now
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r" + self.line()[:width].ljust(width))
            self._stream.flush()

    @property
    def rate(self) -> float:
        """Bytes a second, over the last ten."""
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def line(self) -> str:
        """Tell how it goes."""
        share = min(self.done / self.total, 1.0) if self.total else 1.0
        full = round(share * _BAR_CHARACTERS)
        bar = "#" * full + "." * (_BAR_CHARACTERS - full)
        amounts = f"{size_text(self.done)} of {size_text(self.total)}"
        return f"[{bar}] {amounts}  {size_text(self.rate)}/s  {self._left()}  {self.what}"

    def note(self, text: str) -> None:
        """Write a line of its own, on standard output, past the one that is written over."""
        self.clear()
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._stream is not None and self._told_at > float("-inf"):
            self._stream.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
            self._stream.flush()
            self._told_at = float("-inf")

    def _left(self) -> str:
        if not self.rate or self.done >= self.total:
            return "--:--"
        seconds = round((self.total - self.done) / self.rate)
        minutes, hours = seconds // 60, seconds // 3600
        if hours:
            return f"{hours} h {minutes % 60:02} min left"
        return f"{minutes}:{seconds % 60:02} left"


@contextmanager
def meter(what: str, total: int, *, shown: bool = True) -> Iterator[Meter]:
    """Measure, and show it on standard error if that is a terminal; the line goes at the end."""
    stream = sys.stderr if shown and sys.stderr.isatty() else None
    measured = Meter(what, total, stream)
    try:
        yield measured
    finally:
        measured.clear()
