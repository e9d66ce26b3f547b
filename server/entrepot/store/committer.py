"""The one task that writes to the catalog: what queues up meanwhile goes in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import structlog

from entrepot.errors import Corrupt, StoreError
from entrepot.store.database import Database, Rows, Statement
from entrepot.tasks import TaskOwner

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Statements to commit. `applied` is called once they are, even if nobody waits any more.

    `broken` is the generation of the file that somebody found unreadable.
    """

    statements: Sequence[Statement]
    applied: Callable[[], None]
    done: asyncio.Future[list[Rows]]
    broken: int | None = None

    @property
    def asks(self) -> bool:
        """Whether it wants answers."""
        return any(statement.asks for statement in self.statements)


class Committer:
    """Takes changes and commits them in order; owned by the catalog."""

    def __init__(
        self, database: Database, salvage: Callable[[], Awaitable[Sequence[Statement]]]
    ) -> None:
        """`salvage` tells, while the broken file is still there, what to put into a new one."""
        self._database = database
        self._salvage = salvage
        self._queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self._tasks = TaskOwner("catalog")
        self._task: asyncio.Task[None] | None = None
        self.failures = 0
        self.replacing = False

    def start(self) -> None:
        """Begin to commit."""
        self._task = self._tasks.start(self._run(), name="committer")

    def submit(
        self,
        statements: Sequence[Statement],
        applied: Callable[[], None] = lambda: None,
        *,
        broken: int | None = None,
    ) -> asyncio.Future[list[Rows]]:
        """Queue a change. The future ends when it is committed, or fails with StoreError.

        It brings what the statements that ask were answered. A failure that nobody awaits is
        only logged. With `broken` the file of that generation is replaced first, if it has not
        been already.
        """
        done: asyncio.Future[list[Rows]] = asyncio.get_running_loop().create_future()
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
            changes = [change for change in queued if change is not None]
            for batch in _batches(changes):
                await self._commit(batch)

    async def _commit(self, changes: Sequence[Change]) -> None:
        statements = _merged(each for change in changes for each in change.statements)
        try:
            if self._database.generation in {change.broken for change in changes}:
                await self._replace()
            answers = await self._write(statements)
        except Exception as error:  # noqa: BLE001 - it is theirs who wait, whatever it is
            self.failures += len(changes)
            log.warning("catalog.not_written", changes=len(changes), error=str(error))
            for change in changes:
                if not change.done.done():
                    change.done.set_exception(error)
            return
        for change in changes:
            change.applied()
            if not change.done.done():
                change.done.set_result(answers)

    async def _write(self, statements: Sequence[Statement]) -> list[Rows]:
        try:
            return await self._database.write(statements)
        except Corrupt:
            await self._replace()
            return await self._database.write(statements)

    async def _replace(self) -> None:
        self.replacing = True
        try:
            salvaged = await self._salvage()
            await self._database.replace()
            await self._database.write(salvaged)
        finally:
            self.replacing = False


def _batches(changes: Iterable[Change]) -> list[list[Change]]:
    """Part them into transactions: answers belong to one change, so who asks has one alone."""
    batches: list[list[Change]] = []
    for change in changes:
        if batches and not change.asks and not batches[-1][-1].asks:
            batches[-1].append(change)
        else:
            batches.append([change])
    return batches


def _merged(statements: Iterable[Statement]) -> list[Statement]:
    """Put rows for the same SQL that follow each other into one statement: each costs a hop.

    Not where answers are wanted: those are told one by one.
    """
    merged: list[Statement] = []
    for (sql, asks), same in groupby(statements, key=lambda each: (each.sql, each.asks)):
        if asks:
            merged += same
        else:
            merged.append(Statement(sql, [row for statement in same for row in statement.rows]))
    return merged


def _retrieve(done: asyncio.Future[list[Rows]]) -> None:
    """Mark the exception as seen: it has been logged."""
    if not done.cancelled():
        done.exception()
