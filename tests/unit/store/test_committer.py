from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from entrepot.errors import StoreError
from entrepot.store.committer import Committer
from entrepot.store.database import Database, Statement

ALL = "SELECT digest FROM manifests ORDER BY digest"


def put(name: str) -> list[Statement]:
    return [
        Statement(
            "INSERT INTO manifests (digest, media_type, size, mirror) VALUES (?, '', 0, '')",
            [(name,)],
        )
    ]


async def salvage() -> list[Statement]:
    return put("restored")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "catalog.db")
    await database.open()
    yield database
    await database.aclose()


@pytest.fixture
async def committer(database: Database) -> AsyncIterator[Committer]:
    committer = Committer(database, salvage)
    committer.start()
    yield committer
    await committer.aclose()


async def test_a_change_is_committed_and_applied_before_its_future_ends(
    committer: Committer, database: Database
) -> None:
    applied: list[str] = []
    await committer.submit(put("a"), lambda: applied.append("a"))
    assert applied == ["a"]
    assert await database.fetch(ALL) == [("a",)]


async def test_changes_are_applied_in_the_order_they_came(committer: Committer) -> None:
    applied: list[str] = []
    names = [f"{number:03}" for number in range(100)]
    await asyncio.gather(
        *(committer.submit(put(name), partial(applied.append, name)) for name in names)
    )
    assert applied == names


async def test_each_statement_that_asks_is_answered(committer: Committer) -> None:
    await asyncio.gather(*(committer.submit(put(name)) for name in "abc"))
    delete = "DELETE FROM manifests WHERE digest = ? RETURNING digest"
    statements = [Statement(delete, [(name,)], asks=True) for name in ("a", "x", "c")]
    assert await committer.submit(statements) == [[("a",)], [], [("c",)]]


async def test_a_change_whose_caller_left_is_still_committed_and_applied(
    committer: Committer, database: Database
) -> None:
    applied: list[str] = []
    abandoned = committer.submit(put("a"), lambda: applied.append("a"))
    abandoned.cancel()
    await committer.submit(put("b"))
    assert applied == ["a"]
    assert await database.fetch(ALL) == [("a",), ("b",)]


async def test_a_failed_change_is_not_applied_and_the_next_one_is(
    committer: Committer, database: Database
) -> None:
    applied: list[str] = []
    await committer.submit(put("a"))
    with pytest.raises(StoreError):
        await committer.submit(put("a"), lambda: applied.append("again"))
    await committer.submit(put("b"))
    assert applied == []
    assert await database.fetch(ALL) == [("a",), ("b",)]


async def test_closing_commits_what_is_queued_and_refuses_the_rest(
    committer: Committer, database: Database
) -> None:
    queued = [committer.submit(put(name)) for name in "abc"]
    await committer.aclose()
    assert all(done.done() and done.exception() is None for done in queued)
    assert await database.fetch(ALL) == [("a",), ("b",), ("c",)]
    with pytest.raises(StoreError, match="closed"):
        await committer.submit(put("d"))


async def test_a_broken_file_is_replaced_once_and_what_is_known_restored(
    committer: Committer, database: Database
) -> None:
    await committer.submit(put("a"))
    await asyncio.gather(*(committer.submit([], broken=0) for _ in range(3)))
    await committer.submit([], broken=0)
    assert database.generation == 1
    assert await database.fetch(ALL) == [("restored",)]
