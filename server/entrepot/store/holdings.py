"""What is held, blob by blob, and which images each belongs to; for those who look at all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from entrepot.oci.digest import Digest
from entrepot.store.catalog import Catalog

_PAGE = "SELECT digest, size FROM blobs WHERE digest > ? ORDER BY digest LIMIT 500"
_IMAGES = """
    WITH RECURSIVE up (digest) AS (
        SELECT ?
        UNION
        SELECT links.manifest FROM up JOIN links ON links.child = up.digest
    )
    SELECT registry || '/' || repository || ':' || tag FROM tags
    WHERE digest IN up ORDER BY 1 LIMIT ?
"""
_MOST_IMAGES = 20


async def held_blobs(catalog: Catalog) -> AsyncIterator[tuple[Digest, int]]:
    """Yield every blob with its size; what comes in meanwhile may be among them or not."""
    last = ""
    while rows := await catalog.survey(_PAGE, last):
        for digest, size in rows:
            yield Digest.parse(str(digest)), int(size)
        last = str(rows[-1][0])


async def images_with(catalog: Catalog, digest: Digest, most: int = _MOST_IMAGES) -> list[str]:
    """Name the tagged images that a blob or manifest belongs to, in order, up to `most`."""
    return [str(name) for (name,) in await catalog.survey(_IMAGES, str(digest), most)]
