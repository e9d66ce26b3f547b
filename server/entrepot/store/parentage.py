"""Which indexes that are held here name a manifest."""

from __future__ import annotations

from entrepot.oci.digest import Digest
from entrepot.store.catalog import Catalog

_NAMING = """
    SELECT DISTINCT manifests.digest FROM links JOIN manifests ON manifests.digest = links.manifest
    WHERE links.child = ? ORDER BY manifests.used_at DESC LIMIT ?
"""
_MOST = 8


async def indexes_naming(catalog: Catalog, digest: Digest) -> tuple[Digest, ...]:
    """Give them, the last used first, eight at most. Raises StoreError."""
    rows = await catalog.ask(_NAMING, str(digest), _MOST)
    return tuple(Digest.parse(str(one)) for (one,) in rows)
