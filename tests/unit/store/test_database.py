from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.errors import Corrupt, DiskFull, StoreError
from entrepot.store.ballast import Ballast
from entrepot.store.database import Database, Statement, database_error
from faults.smalldisk import MIB, fill_up, small_disk

PUT = "INSERT INTO manifests (digest, media_type, size, mirror) VALUES (?, ?, ?, ?)"
ALL = "SELECT digest FROM manifests ORDER BY digest"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "catalog.db")
    await database.open()
    yield database
    await database.aclose()


def put(*names: str) -> Statement:
    return Statement(PUT, [(name, "", 0, "") for name in names])


async def test_what_was_committed_is_read(database: Database) -> None:
    await database.write([put("a"), put("b", "c")])
    assert await database.fetch(ALL) == [("a",), ("b",), ("c",)]


async def test_a_failing_statement_takes_its_whole_transaction_along(database: Database) -> None:
    await database.write([put("a")])
    with pytest.raises(StoreError):
        await database.write([put("b"), put("a")])
    assert await database.fetch(ALL) == [("a",)]
    await database.write([put("b")])
    assert await database.fetch(ALL) == [("a",), ("b",)]


async def test_the_reading_connection_cannot_write(database: Database) -> None:
    with pytest.raises(StoreError):
        await database.fetch("DELETE FROM manifests")


async def test_the_reader_does_not_see_what_is_not_committed(database: Database) -> None:
    writing = database.write([put(*map(str, range(2000))), put(*map(str, range(2000, 4000)))])
    reading = (database.fetch("SELECT count(*) FROM manifests") for _ in range(20))
    _, counts = await asyncio.gather(writing, asyncio.gather(*reading))
    assert {count for rows in counts for (count,) in rows} <= {0, 4000}


async def test_answers_come_in_the_order_of_the_statements_that_ask(database: Database) -> None:
    asking = Statement(
        "DELETE FROM manifests WHERE digest = ? RETURNING digest", [("a",)], asks=True
    )
    counting = Statement("SELECT count(*) FROM manifests", asks=True)
    answers = await database.write([put("a", "b"), asking, counting])
    assert answers == [[("a",)], [(1,)]]


async def test_a_long_question_does_not_hold_up_a_short_one(database: Database) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000)"
    survey = asyncio.get_running_loop().create_task(
        database.survey(f"{endless} SELECT count(*) FROM n")
    )
    assert await database.fetch("SELECT 1") == [(1,)]
    assert not survey.done()
    assert await survey == [(3_000_000,)]


async def test_a_closed_database_says_so(database: Database) -> None:
    await database.aclose()
    await database.aclose()
    with pytest.raises(StoreError, match="closed"):
        await database.fetch(ALL)
    with pytest.raises(StoreError, match="closed"):
        await database.write([put("a")])


async def test_no_thread_outlives_the_close(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    database = Database(tmp_path / "catalog.db")
    await database.open()
    await database.aclose()
    own = {t for t in threading.enumerate() if not t.name.startswith("asyncio_")}
    assert own <= before


def test_a_file_that_was_cut_short_is_corrupt_and_a_failing_disk_is_not() -> None:
    for name, broken in (("SQLITE_IOERR_SHORT_READ", True), ("SQLITE_IOERR_READ", False)):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = getattr(sqlite3, name)
        assert isinstance(database_error(error), Corrupt) == broken


async def test_garbage_is_corrupt_and_replaced_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(b"not a database " * 100)
    (tmp_path / "catalog.db-wal").write_bytes(b"its log")
    database = Database(path)
    with pytest.raises(Corrupt):
        await database.open()
    await database.replace()
    await database.write([put("a")])
    assert await database.fetch(ALL) == [("a",)]
    assert database.generation == 1
    await database.aclose()
    [kept] = tmp_path.glob("catalog.db.corrupt-*[0-9]")
    assert kept.read_bytes().startswith(b"not a database")


async def test_of_many_broken_files_the_last_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    for number in range(5):
        (tmp_path / f"catalog.db.corrupt-179554659434{number}").write_bytes(b"")
        (tmp_path / f"catalog.db.corrupt-179554659434{number}-wal").write_bytes(b"")
    path.write_bytes(b"not a database " * 100)
    database = Database(path)
    await database.replace()
    await database.aclose()
    kept = sorted(each.name for each in tmp_path.glob("catalog.db.corrupt-*"))
    assert len(kept) == 5  # three, of two there is a log
    assert kept[0].endswith("3")


async def test_a_place_that_cannot_hold_a_file_is_a_store_error(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    database = Database(tmp_path / "missing" / "catalog.db")
    with pytest.raises(StoreError):
        await database.open()
    own = {t for t in threading.enumerate() if not t.name.startswith("asyncio_")}
    assert own <= before


def test_errors_of_sqlite_are_translated_by_their_code() -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE a (x)")
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("INSERT INTO a VALUES (zeroblob(100000))")
    connection.close()
    assert isinstance(database_error(caught.value), DiskFull)
    assert type(database_error(sqlite3.OperationalError("locked"))) is StoreError


@pytest.mark.rule("P30")
async def test_the_index_of_the_log_has_all_its_blocks_from_the_start(tmp_path: Path) -> None:
    """On ext4 with blocks of 1 KiB a full disk would else end the process with SIGBUS."""
    with small_disk(tmp_path, 16 * MIB, "ext4") as disk:
        database = Database(disk / "catalog.db")
        await database.open()
        await database.write([put("a")])
        status = (disk / "catalog.db-shm").stat()
        assert status.st_blocks * 512 >= status.st_size >= 64 << 10
        await database.aclose()


@pytest.mark.rule("P30")
async def test_on_a_full_disk_it_opens_and_writes_with_what_the_ballast_gives(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path, 16 * MIB) as disk:
        ballast = Ballast(disk / "ballast")
        await asyncio.to_thread(ballast.take)
        for name in ("a", "b"):
            fill_up(disk)
            bare = Database(disk / "catalog.db")
            with pytest.raises(StoreError):
                await bare.open()
            database = Database(disk / "catalog.db", ballast)
            await database.open()
            fill_up(disk)
            await database.write([put(*(f"{name}{number}" for number in range(200)))])
            assert len(await database.fetch(ALL)) == 200 * (1 + (name == "b"))
            await database.aclose()
            assert await asyncio.to_thread(ballast.take) > 0


LOCKED = """
import fcntl, sys
with open(sys.argv[1], "r+b") as index:
    try:
        fcntl.lockf(index, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)
    except OSError:
        print("locked")
"""
"""Byte 128 of the log's index: who has it shared is using the file, who has it alone cuts it."""


async def test_another_process_sees_that_the_catalog_is_in_use(
    database: Database, tmp_path: Path
) -> None:
    """A server whose lock was lost was ended by SIGBUS as soon as somebody looked at the file."""
    await database.write([put("a")])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LOCKED, tmp_path / "catalog.db-shm"), stdout=PIPE
    )
    said, _ = await process.communicate()
    assert said.strip() == b"locked"
