"""What upkeep remembers over a restart."""

from __future__ import annotations

from pathlib import Path

from entrepot.store.catalog import Catalog
from entrepot.store.notes import SWEPT, note, note_swept, put_notes, time_note


async def test_notes_outlive_a_restart_and_can_be_taken_back(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    assert await note(catalog, "a") is None
    await put_notes(catalog, a="word", b=2.5)
    await put_notes(catalog, a=None, b=3.5, c=None)
    await catalog.aclose()
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    assert await note(catalog, "a") is None
    assert await time_note(catalog, "b") == 3.5
    assert await time_note(catalog, "c") is None
    await catalog.aclose()


async def test_a_catalog_is_incomplete_until_it_was_swept(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    await catalog.until_incomplete()
    states = [(catalog.incomplete, catalog.lost)]
    await note_swept(catalog, catalog.generation, 100.0)
    states.append((catalog.incomplete, catalog.lost))
    assert states == [(True, True), (False, True)]
    await catalog.aclose()
    again = Catalog(tmp_path / "catalog.db")
    await again.open()
    assert (again.incomplete, again.lost) == (False, False)
    assert await time_note(again, SWEPT) == 100.0
    await again.aclose()


async def test_a_sweep_of_a_catalog_that_was_replaced_meanwhile_counts_for_nothing(
    tmp_path: Path,
) -> None:
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    await note_swept(catalog, catalog.generation - 1, 100.0)
    assert catalog.incomplete
    assert await note(catalog, SWEPT) is None
    await catalog.aclose()
