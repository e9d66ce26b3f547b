"""What is left over in the catalog: tags and links of manifests that are gone, blobs of none.

Long questions are asked beside what requests ask; what is then removed is looked at again in the
transaction that removes it, so that whatever came in between stays.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TypeVar

from entrepot.oci.digest import Digest
from entrepot.store.catalog import Catalog
from entrepot.store.database import Rows, Statement

T = TypeVar("T")

BATCH = 500

_DANGLING_TAGS = """
    SELECT registry, repository, tag FROM tags
    WHERE NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.digest = tags.digest)
"""
_DROP_TAG = """
    DELETE FROM tags WHERE registry = ? AND repository = ? AND tag = ?
    AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.digest = tags.digest)
    RETURNING registry, repository, tag
"""
# Every file has a row by now: a manifest without one has no file.
_BODILESS = """
    SELECT digest FROM manifests
    WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE blobs.digest = manifests.digest)
"""
_DROP_BODILESS = """
    DELETE FROM manifests WHERE digest = ?
    AND NOT EXISTS (SELECT 1 FROM blobs WHERE blobs.digest = manifests.digest)
"""
_DANGLING_LINKS = """
    SELECT DISTINCT manifest FROM links
    WHERE NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.digest = links.manifest)
"""
_DROP_LINKS = """
    DELETE FROM links WHERE manifest = ?1
    AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.digest = ?1)
"""
_ORPHANED = """
    used_at <= ? AND added_at <= ?
    AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.digest = blobs.digest)
    AND NOT EXISTS (SELECT 1 FROM links WHERE links.child = blobs.digest)
"""
_ORPHANS = (
    f"SELECT digest FROM blobs WHERE {_ORPHANED}"  # noqa: S608 - nothing of it comes from outside
    f" AND digest > ? ORDER BY digest LIMIT {BATCH}"
)
_DROP_ORPHAN = f"DELETE FROM blobs WHERE {_ORPHANED} AND digest = ? RETURNING digest, size"  # noqa: S608


async def drop_dangling_tags(catalog: Catalog) -> int:
    """Forget the tags that lead to nothing; how many."""
    keys = await catalog.survey(_DANGLING_TAGS)
    dropped = 0
    for batch in _batches(keys):
        statements = [Statement(_DROP_TAG, [key], asks=True) for key in batch]
        dropped += await catalog.drop_tags(statements)
    return dropped


async def drop_dangling_manifests(catalog: Catalog) -> int:
    """Forget manifests that have no file, then what was listed by manifests that are gone.

    How many there were of both. For after a sweep only, which has entered every file.
    """
    dropped = 0
    for question, statement in ((_BODILESS, _DROP_BODILESS), (_DANGLING_LINKS, _DROP_LINKS)):
        rows = await catalog.survey(question)
        for batch in _batches(rows):
            await catalog.write([Statement(statement, batch)])
        dropped += len(rows)
    return dropped


async def orphans(catalog: Catalog, unused_since: float) -> AsyncIterator[list[Digest]]:
    """Yield the blobs that nothing lists and nobody has asked for, some at a time.

    `unused_since` is seconds of the epoch. What was noted of uses until now counts.
    """
    await catalog.flush()
    last = ""
    while rows := await catalog.survey(_ORPHANS, unused_since, unused_since, last):
        last = str(rows[-1][0])
        yield [Digest.parse(str(digest)) for (digest,) in rows]


async def drop_orphans(
    catalog: Catalog, digests: Sequence[Digest], unused_since: float
) -> list[tuple[Digest, int]]:
    """Forget those of `digests` that are orphans still, with their sizes; their files are yours."""
    answers: list[Rows] = await catalog.write(
        [
            Statement(_DROP_ORPHAN, [(unused_since, unused_since, str(each))], asks=True)
            for each in digests
        ]
    )
    return [(Digest.parse(str(d)), int(size)) for rows in answers for d, size in rows]


def _batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(rows), BATCH):
        yield rows[at : at + BATCH]
