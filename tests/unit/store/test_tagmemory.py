from __future__ import annotations

from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_INDEX
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.record import TagRecord
from entrepot.store.tagmemory import TagMemory


def record(name: str, at: float = 1.0) -> TagRecord:
    pause = RepositoryName.parse("pause")
    return TagRecord("r", pause, Tag.parse(name), Digest.of(b""), OCI_INDEX, 0, at, "first")


def test_who_is_used_least_recently_goes_first() -> None:
    memory = TagMemory(2)
    memory.put(record("a"))
    memory.put(record("b"))
    assert memory.get(record("a").key) == record("a")
    memory.put(record("c"))
    assert [each.tag for each in memory.all()] == ["a", "c"]


def test_a_record_replaces_the_one_before() -> None:
    memory = TagMemory(2)
    memory.put(record("a"))
    memory.put(record("a", at=2.0))
    assert memory.all() == (record("a", at=2.0),)


def test_changes_count_what_comes_and_goes() -> None:
    memory = TagMemory(2)
    memory.put(record("a"))
    memory.drop(record("a").key)
    memory.drop(record("never").key)
    assert (memory.changes, memory.all()) == (3, ())
