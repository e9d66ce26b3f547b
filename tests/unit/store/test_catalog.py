from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.errors import StoreError, StoreTooNew
from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_INDEX, OCI_MANIFEST
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.catalog import Catalog
from entrepot.store.ledger import append_to_ledger, ledger_rows
from entrepot.store.ledgerrow import LedgerRow
from entrepot.store.record import Child, ManifestRecord, TagRecord

K8S = "registry.k8s.io"
PAUSE = RepositoryName.parse("pause")
INDEX = ManifestRecord(Digest.of(b"index"), OCI_INDEX, 500, "first")
CHILDREN = [Child(Digest.of(b"arm64"), OCI_MANIFEST, 300), Child(Digest.of(b"x"), "layer", 7)]


def tag(name: str = "3.1", *, digest: Digest = INDEX.digest, at: float = 100.0) -> TagRecord:
    return TagRecord(K8S, PAUSE, Tag.parse(name), digest, OCI_INDEX, 500, at, "first")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


@pytest.fixture
async def catalog(path: Path) -> AsyncIterator[Catalog]:
    catalog = Catalog(path)
    await catalog.open()
    yield catalog
    await catalog.aclose()


async def reopened(path: Path) -> tuple[TagRecord, ...]:
    """The tags that another process finds."""
    catalog = Catalog(path)
    await catalog.open()
    try:
        return await catalog.tags(K8S, PAUSE)
    finally:
        await catalog.aclose()


def spoil(path: Path, table: str) -> None:
    """Overwrite the first page of a table, after moving everything out of the log."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [(page,)] = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", [table]
        ).fetchall()
        [(size,)] = connection.execute("PRAGMA page_size").fetchall()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


async def test_a_tag_is_known_at_once_and_after_a_restart(catalog: Catalog, path: Path) -> None:
    await catalog.put_tag(tag())
    assert await catalog.tag(K8S, PAUSE, Tag.parse("3.1")) == tag()
    await catalog.aclose()
    assert await reopened(path) == (tag(),)


async def test_an_unknown_tag_is_none(catalog: Catalog) -> None:
    await catalog.put_tag(tag())
    assert await catalog.tag(K8S, PAUSE, Tag.parse("3.2")) is None
    assert await catalog.tag("docker.io", PAUSE, Tag.parse("3.1")) is None
    assert await catalog.tags("docker.io", PAUSE) == ()


async def test_a_tag_that_moved_has_only_its_new_meaning(catalog: Catalog, path: Path) -> None:
    await catalog.put_tag(tag())
    moved = replace(tag(), digest=Digest.of(b"moved"), mirror="second", checked_at=200.0)
    await catalog.put_tag(moved)
    assert await catalog.tags(K8S, PAUSE) == (moved,)
    await catalog.aclose()
    assert await reopened(path) == (moved,)


async def test_tags_come_in_lexical_order(catalog: Catalog) -> None:
    await asyncio.gather(*(catalog.put_tag(tag(name)) for name in ("b", "a", "B", "10", "9")))
    assert [record.tag for record in await catalog.tags(K8S, PAUSE)] == ["10", "9", "B", "a", "b"]


async def test_a_deleted_tag_is_gone_here_and_on_the_disk(catalog: Catalog, path: Path) -> None:
    await catalog.put_tag(tag("3.1"))
    await catalog.put_tag(tag("3.2"))
    catalog.touch_tag(tag("3.1"), 150.0)
    await catalog.delete_tag(tag("3.1").key)
    await catalog.delete_tag(tag("never").key)
    assert await catalog.tags(K8S, PAUSE) == (tag("3.2"),)
    await catalog.aclose()
    assert await reopened(path) == (tag("3.2"),)


async def test_a_repository_without_tags_left_is_empty(catalog: Catalog) -> None:
    await catalog.put_tag(tag())
    await catalog.delete_tag(tag().key)
    assert await catalog.tags(K8S, PAUSE) == ()
    assert await catalog.tag(K8S, PAUSE, Tag.parse("3.1")) is None


async def test_a_touch_is_seen_at_once_and_written_at_close(catalog: Catalog, path: Path) -> None:
    await catalog.put_tag(tag(at=100.0))
    catalog.touch_tag(tag(), 150.0)
    catalog.touch_tag(tag(), 160.0)
    assert catalog.peek_tag(K8S, PAUSE, Tag.parse("3.1")) == tag(at=160.0)
    await catalog.aclose()
    assert await reopened(path) == (tag(at=160.0),)


async def test_a_touch_is_written_in_the_background(path: Path) -> None:
    catalog = Catalog(path, flush_after_s=0.001)
    await catalog.open()
    await catalog.put_tag(tag(at=100.0))
    catalog.touch_tag(tag(), 150.0)
    while await reopened(path) != (tag(at=150.0),):
        await asyncio.sleep(0.005)
    catalog.touch_tag(tag(), 170.0)
    while await reopened(path) != (tag(at=170.0),):
        await asyncio.sleep(0.005)
    await catalog.aclose()


async def test_touching_an_unknown_tag_invents_nothing(catalog: Catalog, path: Path) -> None:
    catalog.touch_tag(tag(), 150.0)
    assert await catalog.tags(K8S, PAUSE) == ()
    await catalog.aclose()
    assert await reopened(path) == ()


async def test_an_older_touch_does_not_undo_a_newer_record(catalog: Catalog, path: Path) -> None:
    await catalog.put_tag(tag(at=100.0))
    catalog.touch_tag(tag(), 150.0)
    await catalog.put_tag(tag(at=200.0))
    await catalog.aclose()
    assert await reopened(path) == (tag(at=200.0),)


async def test_what_was_read_before_does_not_undo_what_was_written_since(
    catalog: Catalog, path: Path
) -> None:
    before, since = tag(at=100.0), replace(tag(at=200.0), digest=Digest.parse(f"sha256:{'b' * 64}"))
    await catalog.put_tag(before)
    await catalog.put_tag(since)
    catalog.vet_tag(before, replace(before, vetted=7))
    catalog.touch_tag(before, 300.0)
    await catalog.amend_tag(before, replace(before, level=3))
    assert catalog.peek_tag(K8S, PAUSE, before.tag) == since
    await catalog.aclose()
    assert await reopened(path) == (since,)


async def test_what_was_read_before_does_not_bring_back_what_was_deleted(
    catalog: Catalog, path: Path
) -> None:
    await catalog.put_tag(tag())
    await catalog.delete_tag(tag().key)
    catalog.vet_tag(tag(), replace(tag(), vetted=7))
    catalog.touch_tag(tag(), 300.0)
    await catalog.amend_tag(tag(), replace(tag(), level=3))
    assert catalog.peek_tag(K8S, PAUSE, tag().tag) is None
    await catalog.aclose()
    assert await reopened(path) == ()


async def test_another_level_is_here_and_on_the_disk(catalog: Catalog, path: Path) -> None:
    await catalog.put_tag(tag(at=100.0))
    after = replace(tag(at=150.0), level=3)
    await catalog.amend_tag(tag(at=100.0), after)
    assert catalog.peek_tag(K8S, PAUSE, tag().tag) == after
    await catalog.aclose()
    assert await reopened(path) == (after,)


async def test_a_cancelled_put_leaves_memory_and_disk_agreed(catalog: Catalog, path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(catalog.put_tag(tag()))
        await asyncio.sleep(0)
        task.cancel()
    await catalog.put_tag(tag("other"))
    known = await catalog.tags(K8S, PAUSE)
    assert known == (tag(), tag("other"))
    await catalog.aclose()
    assert await reopened(path) == known


@pytest.mark.rule("P6")
async def test_manifest_and_tag_are_recorded_together(catalog: Catalog) -> None:
    await catalog.record(INDEX, CHILDREN, tag())
    assert await catalog.tags(K8S, PAUSE) == (tag(),)
    assert await catalog.manifest(INDEX.digest) == INDEX
    assert await catalog.is_manifest(INDEX.digest)
    assert await catalog.child_size(CHILDREN[0].digest) == 300
    assert await catalog.child_size(CHILDREN[1].digest) == 7


async def test_nothing_is_known_of_other_digests(catalog: Catalog) -> None:
    await catalog.put_manifest(INDEX, CHILDREN)
    assert await catalog.manifest(CHILDREN[0].digest) is None
    assert not await catalog.is_manifest(CHILDREN[0].digest)
    assert await catalog.child_size(INDEX.digest) is None


async def test_manifests_that_disagree_about_a_size_say_nothing(catalog: Catalog) -> None:
    other = replace(INDEX, digest=Digest.of(b"other"))
    layer = CHILDREN[1].digest
    await catalog.put_manifest(INDEX, CHILDREN)
    await catalog.put_manifest(other, [Child(layer, "layer", 7)])
    assert await catalog.child_size(layer) == 7
    await catalog.put_manifest(other, [Child(layer, "layer", 8)])
    assert await catalog.child_size(layer) is None


async def test_a_manifest_without_children_is_a_manifest(catalog: Catalog) -> None:
    await catalog.put_manifest(INDEX, [])
    assert await catalog.is_manifest(INDEX.digest)


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_file_that_is_no_database_is_moved_aside(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    catalog = Catalog(path)
    await catalog.open()
    await catalog.record(INDEX, CHILDREN, tag())
    await catalog.aclose()
    assert await reopened(path) == (tag(),)
    [kept] = path.parent.glob("catalog.db.corrupt-*")
    assert kept.read_bytes() == content


async def test_unreadable_tags_cost_the_tags_and_nothing_else(catalog: Catalog, path: Path) -> None:
    await catalog.record(INDEX, CHILDREN, tag())
    await catalog.aclose()
    spoil(path, "tags")
    assert await reopened(path) == ()
    assert len(list(path.parent.glob("catalog.db.corrupt-*[0-9]"))) == 1


async def test_a_table_that_breaks_while_running_is_replaced_and_tags_kept(
    catalog: Catalog, path: Path
) -> None:
    await catalog.record(INDEX, CHILDREN, tag())
    await catalog.aclose()
    spoil(path, "manifests")
    again = Catalog(path)
    await again.open()
    assert await again.tags(K8S, PAUSE) == (tag(),)
    found = await asyncio.gather(*(again.manifest(INDEX.digest) for _ in range(3)))
    assert found == [None, None, None]
    await again.put_manifest(INDEX, CHILDREN)
    assert await again.manifest(INDEX.digest) == INDEX
    await again.aclose()
    assert await reopened(path) == (tag(),)
    assert len(list(path.parent.glob("catalog.db.corrupt-*[0-9]"))) == 1


async def test_writing_to_a_table_that_broke_goes_on_in_a_new_file(
    catalog: Catalog, path: Path
) -> None:
    await catalog.record(INDEX, CHILDREN, tag())
    await catalog.aclose()
    spoil(path, "manifests")
    again = Catalog(path)
    await again.open()
    await again.put_manifest(INDEX, CHILDREN)
    assert await again.manifest(INDEX.digest) == INDEX
    await again.aclose()
    assert await reopened(path) == (tag(),)


async def test_the_ledger_outlives_another_table_that_breaks(catalog: Catalog, path: Path) -> None:
    row = LedgerRow(1.0, K8S, "pause", "3.1", "first", "sha256:a", "accepted")
    append_to_ledger(catalog, [row], now=1.0)
    await catalog.put_manifest(INDEX, CHILDREN)
    await catalog.aclose()
    spoil(path, "manifests")
    again = Catalog(path)
    await again.open()
    assert await again.manifest(INDEX.digest) is None
    assert await ledger_rows(again) == (row,)
    await again.aclose()


async def test_tags_are_found_by_what_they_mean(catalog: Catalog) -> None:
    moved = tag("3.2", digest=Digest.of(b"moved"))
    for record in (tag("3.1"), tag("3.1-again"), moved):
        await catalog.put_tag(record)
    assert await catalog.tags_of(INDEX.digest, 9) == (tag("3.1"), tag("3.1-again"))
    assert await catalog.tags_of(INDEX.digest, 1) == (tag("3.1"),)


async def test_a_lost_file_is_a_new_one(path: Path) -> None:
    assert await reopened(path) == ()
    path.unlink()
    assert await reopened(path) == ()


async def test_a_file_of_a_later_version_is_left_alone(path: Path) -> None:
    await reopened(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreTooNew, match="version 99"):
        await Catalog(path).open()
    assert [each.name for each in path.parent.glob("*corrupt*")] == []


async def test_a_row_that_makes_no_sense_is_left_out(catalog: Catalog, path: Path) -> None:
    await catalog.put_tag(tag("good"))
    await catalog.put_tag(tag("bad"))
    await catalog.aclose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE tags SET digest = 'md5:0' WHERE tag = 'bad'")
    assert await reopened(path) == (tag("good"),)


async def test_a_closed_catalog_refuses_changes_and_closes_twice(catalog: Catalog) -> None:
    await catalog.aclose()
    await catalog.aclose()
    with pytest.raises(StoreError, match="closed"):
        await catalog.put_tag(tag())
    with pytest.raises(StoreError, match="closed"):
        await catalog.manifest(INDEX.digest)
