"""A lock for threads that many may share, or one may have alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Shared by writers of different offsets, alone for what changes the whole file.

    Whoever waits to be alone keeps newcomers out. Not reentrant.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._alone = 0

    @property
    def wanted_alone(self) -> bool:
        """Whether somebody is alone, or waits to be: nobody new comes in."""
        return bool(self._alone)

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Stay inside together with others; blocks the thread while somebody is alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until everybody has left, and keep them out; blocks the thread."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._alone += 1
            self._changed.wait_for(lambda: not self._inside)
        try:
            yield
        finally:
            with self._changed:
                self._alone -= 1
                self._changed.notify_all()
