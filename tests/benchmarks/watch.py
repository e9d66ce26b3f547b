"""A server under measurement looked at for little: who looks uses the same cores."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

_LONGEST_S = 1800.0
_POLL_S = 0.1


class LogTail:
    """How often something is said in a log from now on; reads what is new only. Blocks."""

    def __init__(self, file: Path, *events: str) -> None:
        self._file = file
        self._events = [event.encode() for event in events]
        self._read = file.stat().st_size if file.exists() else 0
        self._count = 0

    def count(self) -> int:
        """How many lines have told one of the events so far."""
        with self._file.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        self._count += sum(whole.count(event) for event in self._events)
        return self._count


def totals(cache: Path) -> tuple[int, int]:
    """Bytes and blobs as the catalog knows them. Blocks."""
    with closing(sqlite3.connect(cache / "catalog.db")) as catalog:
        size, blobs = catalog.execute("SELECT bytes, blobs FROM totals").fetchone()
    return int(size), int(blobs)


async def until(happened: Callable[[], bool]) -> None:
    """Look every now and then until it has; `happened` runs in a thread."""
    async with asyncio.timeout(_LONGEST_S):
        while not await asyncio.to_thread(happened):
            await asyncio.sleep(_POLL_S)
