"""What is to stay whatever happens, as told at run time; the settings have rules of their own."""

from __future__ import annotations

from entrepot.store.catalog import Catalog
from entrepot.store.database import Statement

_ADD = "INSERT OR IGNORE INTO keeps VALUES (?, ?)"
_REMOVE = "DELETE FROM keeps WHERE pattern = ? RETURNING pattern"
_LIST = "SELECT pattern FROM keeps ORDER BY added_at, pattern"


async def add_keep(catalog: Catalog, pattern: str, now: float) -> None:
    """Keep what matches `pattern`; without effect when that is kept already."""
    await catalog.write([Statement(_ADD, [(pattern, now)])])


async def remove_keep(catalog: Catalog, pattern: str) -> bool:
    """Keep it no more; whether it was kept by exactly this pattern."""
    [rows] = await catalog.write([Statement(_REMOVE, [(pattern,)], asks=True)])
    return bool(rows)


async def list_keeps(catalog: Catalog) -> list[str]:
    """List the patterns, the oldest first."""
    return [str(pattern) for (pattern,) in await catalog.survey(_LIST)]
