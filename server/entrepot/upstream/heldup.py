"""How long our own limits hold a question up: that time is not the mirror's silence."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context


class HeldUp:
    """Of one attempt at one mirror, by loop time; it may ask several questions in turn."""

    __slots__ = ("_seconds", "_since")

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since: float | None = None

    def __repr__(self) -> str:
        return f"<HeldUp {self._seconds:.1f} s{' and waiting' if self._since is not None else ''}>"

    def seconds(self, now: float) -> float:
        """Tell how long it has been held up by now, the wait that still goes on included."""
        return self._seconds + (0.0 if self._since is None else now - self._since)

    def context(self) -> Context:
        """Make the context for the task of the attempt: what waits in it is counted here."""
        context = copy_context()
        context.run(_OF_THIS_TASK.set, self)
        return context

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the time that the block takes."""
        loop = asyncio.get_running_loop()
        self._since = began = loop.time()
        try:
            yield
        finally:
            self._since = None
            self._seconds += loop.time() - began


_OF_THIS_TASK: ContextVar[HeldUp] = ContextVar("held up")
"""Questions are asked by callables that know nothing of who races them, so it goes beside them."""


def held_up() -> HeldUp:
    """Tell the account of the attempt that runs in this task; one that nobody reads, if none."""
    return _OF_THIS_TASK.get(None) or HeldUp()
