"""Lists of referrers as mirrors last told them, for the time when nobody can be asked."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from entrepot.errors import StoreError
from entrepot.oci.digest import Digest
from entrepot.store.catalog import Catalog
from entrepot.store.database import Statement

LARGEST_BYTES = 64 * 1024
MOST_LISTS = 2000

_PUT = "INSERT OR REPLACE INTO referrers VALUES (?, ?, ?, ?, ?)"
_DROP = "DELETE FROM referrers WHERE registry = ? AND repository = ? AND digest = ?"
_PRUNE = """
    DELETE FROM referrers WHERE seen_at < (
        SELECT seen_at FROM referrers ORDER BY seen_at DESC LIMIT 1 OFFSET ?
    )
"""
_GET = """
    SELECT body, seen_at FROM referrers WHERE registry = ? AND repository = ? AND digest = ?
"""


@dataclass(frozen=True, slots=True)
class ReferrerList:
    """The list for one manifest, as it came; `seen_at` is seconds of the epoch."""

    registry: str
    repository: str
    digest: Digest
    body: bytes
    seen_at: float


def keep_referrers(catalog: Catalog, told: ReferrerList) -> None:
    """Have a list kept soon, instead of the one before; nobody waits for it. Long ones are not."""
    if len(told.body) > LARGEST_BYTES:
        drop_referrers(catalog, told.registry, told.repository, told.digest)
        return
    name = (told.registry, told.repository, str(told.digest))
    row = (*name, told.body.decode(), told.seen_at)
    catalog.queue([Statement(_PUT, [row]), Statement(_PRUNE, [(MOST_LISTS - 1,)])])


def drop_referrers(catalog: Catalog, registry: str, repository: str, digest: Digest) -> None:
    """Have a list forgotten soon."""
    catalog.queue([Statement(_DROP, [(registry, repository, str(digest))])])


async def held_referrers(
    catalog: Catalog, registry: str, repository: str, digest: Digest
) -> ReferrerList | None:
    """Give the list that is held, if any, as of the last change queued. Raises StoreError."""
    with contextlib.suppress(StoreError):  # a disk that takes nothing may still be read
        _ = await catalog.write([])
    for body, seen_at in await catalog.ask(_GET, registry, repository, str(digest)):
        return ReferrerList(registry, repository, digest, str(body).encode(), float(seen_at))
    return None
