from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import pytest

from entrepot.errors import StoreTooNew
from entrepot.store.schema import MIGRATIONS, migrate

STEPS = ("CREATE TABLE a (x);", "CREATE TABLE b (x); INSERT INTO b VALUES (1);")


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(tmp_path / "catalog.db", isolation_level=None) as connection:
        yield connection


async def rows(connection: aiosqlite.Connection, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await connection.execute_fetchall(sql)]


async def test_a_new_file_gets_every_table(connection: aiosqlite.Connection) -> None:
    await migrate(connection)
    names = {name for (name,) in await rows(connection, "SELECT name FROM sqlite_schema")}
    assert {"tags", "manifests", "links", "blobs", "keeps", "totals", "referrers"} <= names
    assert await rows(connection, "PRAGMA user_version") == [(len(MIGRATIONS),)]


async def test_a_file_of_the_first_version_keeps_what_it_knew(
    connection: aiosqlite.Connection,
) -> None:
    await migrate(connection, MIGRATIONS[:1])
    await connection.executescript(
        "INSERT INTO manifests VALUES ('sha256:a', 'type', 7, 'first');"
        "INSERT INTO links VALUES ('sha256:a', 'sha256:b', 'layer', 9);"
    )
    await migrate(connection)
    assert await rows(connection, "SELECT digest, size, used_at, repository FROM manifests") == [
        ("sha256:a", 7, 0.0, "")
    ]
    assert await rows(connection, "SELECT child, platform FROM links") == [("sha256:b", "")]
    assert await rows(connection, "SELECT blobs, bytes FROM totals") == [(0, 0)]


async def test_tags_of_before_are_vouched_for_by_nobody(connection: aiosqlite.Connection) -> None:
    await migrate(connection, MIGRATIONS[:3])
    await connection.executescript(
        "INSERT INTO tags VALUES ('r', 'pause', '3.1', 'sha256:a', 'type', 7, 1.5, 'first');"
    )
    await migrate(connection)
    assert await rows(connection, "SELECT tag, level FROM tags") == [("3.1", 1)]
    assert await rows(connection, "SELECT * FROM ledger") == []


async def test_the_totals_follow_the_blobs(connection: aiosqlite.Connection) -> None:
    await migrate(connection)
    put = (
        "INSERT INTO blobs VALUES ('{}', {}, 0, 0, '', '', 0)"
        " ON CONFLICT (digest) DO UPDATE SET size = excluded.size"
    )
    for name, size in (("a", 5), ("b", 7), ("a", 6)):
        await connection.execute(put.format(name, size))
    assert await rows(connection, "SELECT blobs, bytes FROM totals") == [(2, 13)]
    await connection.execute("DELETE FROM blobs WHERE digest = 'b'")
    assert await rows(connection, "SELECT blobs, bytes FROM totals") == [(1, 6)]


async def test_only_the_missing_steps_run(connection: aiosqlite.Connection) -> None:
    await migrate(connection, STEPS[:1])
    await migrate(connection, STEPS)
    await migrate(connection, STEPS)
    assert await rows(connection, "SELECT x FROM b") == [(1,)]


async def test_a_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "failing.db"
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        with pytest.raises(sqlite3.OperationalError):
            await migrate(
                connection, (STEPS[0], "CREATE TABLE c (x); INSERT INTO nowhere VALUES (1);")
            )
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        assert await rows(connection, "PRAGMA user_version") == [(1,)]
        assert await rows(connection, "SELECT name FROM sqlite_schema") == [("a",)]


async def test_a_later_version_is_refused(connection: aiosqlite.Connection) -> None:
    await migrate(connection, STEPS)
    with pytest.raises(StoreTooNew, match="version 2"):
        await migrate(connection, STEPS[:1])
