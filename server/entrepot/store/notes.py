"""What upkeep has to remember over a restart: a word or a number by name, in the catalog.

A new catalog knows none of it, which is right: whatever was noted was about the old one.
"""

from __future__ import annotations

from entrepot.store.catalog import Catalog
from entrepot.store.database import Statement

_NOTE = "SELECT value FROM upkeep WHERE name = ?"
_PUT = "INSERT OR REPLACE INTO upkeep VALUES (?, ?)"
_DROP = "DELETE FROM upkeep WHERE name = ?"

SWEPT = "swept"
"""When the last sweep that came to its end began; without it the catalog counts as incomplete."""


async def note(catalog: Catalog, name: str) -> str | None:
    """Tell what was noted; None when nothing was."""
    for (value,) in await catalog.survey(_NOTE, name):
        return str(value)
    return None


async def time_note(catalog: Catalog, name: str) -> float | None:
    """Tell the time that was noted, in seconds of the epoch; None when there is none."""
    value = await note(catalog, name)
    return None if value is None else float(value)


async def put_notes(catalog: Catalog, **notes: str | float | None) -> None:
    """Note all of it in one transaction; None takes a note back."""
    kept = [(name, str(value)) for name, value in notes.items() if value is not None]
    gone = [(name,) for name, value in notes.items() if value is None]
    await catalog.write([Statement(_PUT, kept), Statement(_DROP, gone)])


async def note_swept(catalog: Catalog, generation: int, began_at: float) -> None:
    """Note that every file has been looked at since `began_at`, seconds of the epoch.

    `generation` is the catalog's of then: what broke and was replaced meanwhile was not swept into.
    """
    if generation == catalog.generation:
        await put_notes(catalog, **{SWEPT: began_at})
    if generation == catalog.generation:
        catalog.complete()
    else:
        await put_notes(catalog, **{SWEPT: None})
