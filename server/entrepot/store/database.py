"""One SQLite file: a connection that writes, two that read, and a way out of a broken file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TypeAlias, TypeVar

import aiosqlite
import structlog

from entrepot.errors import Corrupt, DiskFull, StoreError
from entrepot.store.ballast import Ballast
from entrepot.store.schema import TEMPORARY, migrate
from entrepot.store.threads import disk_error

log = structlog.get_logger(__name__)

T = TypeVar("T")

Value: TypeAlias = str | int | float
Row: TypeAlias = Sequence[Value]
Rows: TypeAlias = list[tuple[Value, ...]]

_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# What it says of a full disk depends on the file that it wanted to write or to open.
_CRAMPED = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
_INDEX_BYTES = 64 << 10
_BUSY_MS = 10_000
_ASIDE = 3
"""How many broken files are kept; a disk that breaks them all must not fill up with them."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL and the rows to run it with; one that `asks` has one row, and its answer is returned."""

    sql: str
    rows: Sequence[Row] = ((),)
    asks: bool = False


def database_error(error: sqlite3.Error) -> StoreError:
    """Translate what SQLite said; Corrupt means that the file cannot be used any more."""
    code = _code(error)
    # A page that lies beyond the end: somebody has cut the file short.
    cut = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHORT_READ
    if code in _BROKEN or cut:
        return Corrupt(f"catalog: {error}")
    return (DiskFull if code == sqlite3.SQLITE_FULL else StoreError)(f"catalog: {error}")


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


class Database:
    """Each connection has a thread of its own, which `aclose` ends.

    Write-ahead log, synchronous=NORMAL: a power cut may take the last moments, never the file.
    `generation` counts the files that broke and were replaced, `created` says that there was none
    when it was opened. On a full disk `ballast` is given up, and what failed is done once more.
    """

    def __init__(self, path: Path, ballast: Ballast | None = None) -> None:
        self._path = path
        self._ballast = ballast
        self.generation = 0
        self.created = False
        self._writer: aiosqlite.Connection | None = None
        self._reader: aiosqlite.Connection | None = None
        self._surveyor: aiosqlite.Connection | None = None
        self._index: int | None = None

    async def open(self) -> None:
        """Create the file or bring it up to date; Corrupt, StoreTooNew or StoreError."""
        try:
            await self._with_room(self._open)
        except sqlite3.Error as error:
            raise database_error(error) from error

    async def aclose(self) -> None:
        """Close the connections and join their threads; safe to call twice."""
        connections = (
            self._surveyor,
            self._reader,
            self._writer,
        )  # the writer last: it checkpoints
        self._surveyor = self._reader = self._writer = None
        async with AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, self._let_go_of_index)
            for connection in reversed(connections):
                if connection is not None:
                    stack.push_async_callback(_close, connection)

    async def replace(self) -> None:
        """Move a broken file aside, for somebody to look at, and begin a new one."""
        await self.aclose()
        try:
            aside = await asyncio.to_thread(_move_aside, self._path)
        except OSError as error:
            raise disk_error(error) from error
        log.error("catalog.replaced", path=str(self._path), kept=str(aside))
        self.generation += 1
        await self.open()

    async def write(self, statements: Sequence[Statement]) -> list[Rows]:
        """Run all of it in one transaction, or none; calls must not overlap.

        Returns what the statements that ask were answered, in their order.
        """
        writer = _opened(self._writer)
        try:
            return await self._with_room(lambda: _transaction(writer, statements))
        except sqlite3.Error as error:
            raise database_error(error) from error

    async def fetch(self, sql: str, row: Row = ()) -> Rows:
        """Read what has been committed: small questions, on which requests wait."""
        try:
            return await _fetch(_opened(self._reader), sql, row)
        except sqlite3.Error as error:
            raise database_error(error) from error

    async def survey(self, sql: str, row: Row = ()) -> Rows:
        """Read what has been committed: questions that may take long, in a thread of their own."""
        try:
            return await _fetch(_opened(self._surveyor), sql, row)
        except sqlite3.Error as error:
            raise database_error(error) from error

    async def _open(self) -> None:
        try:
            self._writer = await self._connect()
            await self._writer.execute_fetchall("PRAGMA journal_mode = WAL")
            await self._writer.execute_fetchall("PRAGMA synchronous = NORMAL")
            self.created = await migrate(self._writer) == 0
            await self._writer.execute_fetchall("PRAGMA temp_store = MEMORY")
            await self._writer.executescript(TEMPORARY)
            await asyncio.to_thread(self._reserve_index)
            self._reader = await self._connect()
            await self._reader.execute_fetchall("PRAGMA query_only = ON")
            self._surveyor = await self._connect()
            await self._surveyor.execute_fetchall("PRAGMA query_only = ON")
        except BaseException:
            await self.aclose()
            raise

    def _reserve_index(self) -> None:
        """Have a block for every byte of the log's index, before the disk is full.

        SQLite writes to it through mapped memory: where there is no block for a page, the kernel
        ends the process (SIGBUS). It makes sure of one block a page, which is not all of it on a
        file system whose blocks are smaller. The descriptor stays open: closing one gives up all
        locks that this process has on the file, SQLite's among them, and the next process to open
        the catalog would cut the index short below the mapping (SIGBUS as well).
        """
        index = self._path.with_name(f"{self._path.name}-shm")
        while True:
            try:
                if self._index is None:
                    self._index = os.open(index, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
                os.posix_fallocate(self._index, 0, _INDEX_BYTES)
            except OSError as error:
                if self._ballast is not None and self._ballast.give_up():
                    continue
                log.warning("catalog.index_not_reserved", path=str(index), reason=str(error))
            return

    def _let_go_of_index(self) -> None:
        index, self._index = self._index, None
        if index is not None:
            os.close(index)

    async def _with_room(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except sqlite3.Error as error:
            ballast = self._ballast
            if _code(error) not in _CRAMPED or ballast is None:
                raise
            if not await asyncio.to_thread(ballast.give_up):
                raise
            log.warning("catalog.ballast_given_up", reason=str(error))
        try:
            return await work()
        finally:
            await asyncio.to_thread(ballast.take)

    async def _connect(self) -> aiosqlite.Connection:
        connection = aiosqlite.connect(self._path, isolation_level=None)
        # a process that fails before it can close us must still be able to end
        if (thread := _thread(connection)) is not None:
            thread.daemon = True
        try:
            connection = await connection
            await connection.execute_fetchall(f"PRAGMA busy_timeout = {_BUSY_MS}")
        except BaseException:
            await _close(connection)
            raise
        return connection


async def _transaction(writer: aiosqlite.Connection, statements: Sequence[Statement]) -> list[Rows]:
    answers: list[Rows] = []
    await writer.execute_fetchall("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            if statement.asks:
                answers.append(await _fetch(writer, statement.sql, statement.rows[0]))
            else:
                await (await writer.executemany(statement.sql, statement.rows)).close()
        await writer.execute_fetchall("COMMIT")
    except BaseException:
        if writer.in_transaction:
            await writer.execute_fetchall("ROLLBACK")
        raise
    return answers


async def _fetch(connection: aiosqlite.Connection, sql: str, row: Row) -> Rows:
    return [tuple(each) for each in await connection.execute_fetchall(sql, row)]


def _opened(connection: aiosqlite.Connection | None) -> aiosqlite.Connection:
    if connection is None:
        raise StoreError("catalog: it is closed")
    return connection


async def _close(connection: aiosqlite.Connection) -> None:
    await connection.close()
    # aiosqlite does not wait for its thread
    if (thread := _thread(connection)) is not None:
        await asyncio.to_thread(thread.join)


def _thread(connection: aiosqlite.Connection) -> Thread | None:
    """Find the thread, which aiosqlite keeps in a private place; None if that has moved."""
    thread = getattr(connection, "_thread", None)
    return thread if isinstance(thread, Thread) else None


def _move_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.corrupt-{time.time_ns() // 1_000_000}")
    for suffix in ("-wal", "-shm", ""):
        each = path.with_name(path.name + suffix)
        if each.exists():
            each.rename(aside.with_name(aside.name + suffix))
    kept = sorted(path.parent.glob(f"{path.name}.corrupt-{'[0-9]' * 13}"))
    for old in kept[:-_ASIDE]:
        for suffix in ("-wal", "-shm", ""):
            old.with_name(old.name + suffix).unlink(missing_ok=True)
    return aside
