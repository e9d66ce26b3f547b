"""A value made from files, and made anew when they change: certificates, passwords."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
Look = tuple[tuple[int, int, int] | None, ...]

LOOK_EVERY_S = 10.0

log = structlog.get_logger(__name__)


class Renewed(Generic[T]):
    """`value` is plain memory; it stays what it was while the files are wrong, or gone.

    `read` runs in a thread and raises OSError or ValueError when the files do not do.
    """

    def __init__(self, files: Sequence[Path], read: Callable[[], T]) -> None:
        self._files = tuple(files)
        self._read = read
        self._look: Look = ()
        self._value: T | None = None

    @property
    def value(self) -> T:
        """What was read last."""
        assert self._value is not None, "nothing was read yet"
        return self._value

    async def load(self) -> None:
        """Read for the first time; raises what `read` raises."""
        self._look, self._value = await asyncio.to_thread(self._read_all)

    async def refresh(self) -> bool:
        """Read anew if a file has changed; whether there is a new value."""
        if await asyncio.to_thread(_look_at, self._files) == self._look:
            return False
        try:
            self._look, self._value = await asyncio.to_thread(self._read_all)
        except (OSError, ValueError) as error:
            # The kind alone: a message may repeat what is in the file.
            log.warning("file.not_renewed", file=str(self._files[0]), error=type(error).__name__)
            return False
        log.info("file.renewed", file=str(self._files[0]))
        return True

    async def keep_fresh(self) -> None:
        """Refresh for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.refresh()

    def _read_all(self) -> tuple[Look, T]:
        # Looked at first: what changes while it is read is read once more.
        look = _look_at(self._files)
        return look, self._read()


def _look_at(files: Sequence[Path]) -> Look:
    return tuple(map(_look_at_one, files))


def _look_at_one(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
