"""The one task that writes to the catalog: what queues up meanwhile goes in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import structlog

from entrepot.errors import Corrupt, StoreError
from entrepot.store.database import Database, Statement
from entrepot.tasks import TaskOwner

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Statements to commit. `applied` is called once they are, even if nobody waits any more.

    `broken` is the generation of the file that somebody found unreadable.
    """

    statements: Sequence[Statement]
    applied: Callable[[], None]
    done: asyncio.Future[None]
    broken: int | None = None


class Committer:
    """Takes changes and commits them in order; owned by the catalog."""

    def __init__(self, database: Database, restore: Callable[[], Sequence[Statement]]) -> None:
        """`restore` tells what to put into a new file after the old one broke."""
        self._database = database
        self._restore = restore
        self._queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self._tasks = TaskOwner("catalog")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to commit."""
        self._task = self._tasks.start(self._run(), name="committer")

    def submit(
        self,
        statements: Sequence[Statement],
        applied: Callable[[], None] = lambda: None,
        *,
        broken: int | None = None,
    ) -> asyncio.Future[None]:
        """Queue a change. The future ends when it is committed, or fails with StoreError.

        A failure that nobody awaits is only logged. With `broken` the file of that generation is
        replaced first, if it has not been already.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_retrieve)
        if self._task is None:
            done.set_exception(StoreError("catalog: it is closed"))
        else:
            self._queue.put_nowait(Change(statements, applied, done, broken))
        return done

    async def aclose(self) -> None:
        """Commit what is queued, then end; safe to call twice."""
        task, self._task = self._task, None
        try:
            if task is not None:
                self._queue.put_nowait(None)
                await asyncio.wait([task])
        finally:
            await self._tasks.aclose()

    async def _run(self) -> None:
        ending = False
        while not ending:
            queued = [await self._queue.get()]
            while not self._queue.empty():
                queued.append(self._queue.get_nowait())
            ending = None in queued
            await self._commit([change for change in queued if change is not None])

    async def _commit(self, changes: Sequence[Change]) -> None:
        statements = _merged(each for change in changes for each in change.statements)
        try:
            if self._database.generation in {change.broken for change in changes}:
                await self._replace()
            await self._write(statements)
        except Exception as error:  # noqa: BLE001 - it is theirs who wait, whatever it is
            log.warning("catalog.not_written", changes=len(changes), error=str(error))
            for change in changes:
                if not change.done.done():
                    change.done.set_exception(error)
            return
        for change in changes:
            change.applied()
            if not change.done.done():
                change.done.set_result(None)

    async def _write(self, statements: Sequence[Statement]) -> None:
        try:
            await self._database.write(statements)
        except Corrupt:
            await self._replace()
            await self._database.write(statements)

    async def _replace(self) -> None:
        await self._database.replace()
        await self._database.write(self._restore())


def _merged(statements: Iterable[Statement]) -> list[Statement]:
    """Put rows for the same SQL that follow each other into one statement: each costs a hop."""
    return [
        Statement(sql, [row for statement in same for row in statement.rows])
        for sql, same in groupby(statements, key=lambda statement: statement.sql)
    ]


def _retrieve(done: asyncio.Future[None]) -> None:
    """Mark the exception as seen: it has been logged."""
    if not done.cancelled():
        done.exception()
