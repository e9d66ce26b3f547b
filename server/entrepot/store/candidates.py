"""What might be evicted, read from the catalog page by page, in order of use."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from entrepot.store.catalog import Catalog
from entrepot.store.database import Rows

PAGE_ROOTS = 64
"""So few that what is read of them takes up little memory."""
PAGE_PARTS = 4_000
"""A page ends before it has more parts: an index may list thousands. One root it has always."""
_ROWS_AT_A_TIME = 16
_SCANNED = 20_000
_MOST_LOOSE = 2_000

# With a count of the parts, of one level below an index.
_ROOTS = """
    SELECT digest, used_at, registry, repository, 1 + (
        SELECT count(*) FROM links one LEFT JOIN links two ON two.manifest = one.child
        WHERE one.manifest = manifests.digest
    )
    FROM manifests WHERE (used_at, digest) > (?, ?)
    AND NOT EXISTS (SELECT 1 FROM links WHERE child = manifests.digest)
    ORDER BY used_at, digest LIMIT ?
"""
_NAMES = """
    SELECT digest, registry, repository, tag FROM tags
    WHERE digest IN (SELECT value FROM json_each(?))
"""
# Also what is listed and not here: a part that is being fetched shows that somebody pulls it.
_PARTS = """
    WITH RECURSIVE tree (root, manifest, digest) AS (
        SELECT value, '', value FROM json_each(?)
        UNION
        SELECT tree.root, tree.digest, links.child
        FROM tree JOIN links ON links.manifest = tree.digest
    )
    SELECT tree.root, tree.digest, ifnull(blobs.size, 0), ifnull(blobs.used_at, 0),
    ifnull(blobs.registry, ''), ifnull(blobs.mirror, ''), ifnull(blobs.seconds, 0),
    EXISTS (
        SELECT 1 FROM links other WHERE other.child = tree.digest
        AND other.manifest NOT IN (SELECT digest FROM tree)
    )
    FROM tree LEFT JOIN blobs ON blobs.digest = tree.digest
"""
_SCAN_TO = "SELECT max(digest) FROM (SELECT digest FROM blobs WHERE digest > ? ORDER BY digest"
_SCAN_TO += " LIMIT ?)"
_LOOSE = """
    SELECT used_at, digest FROM blobs WHERE digest > ? AND digest <= ?
    AND NOT EXISTS (SELECT 1 FROM links WHERE child = blobs.digest)
    AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.digest = blobs.digest)
    ORDER BY used_at LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Root:
    """A manifest that nobody lists, or a loose blob; `registry` and `repository` may be unknown."""

    digest: str
    used_at: float
    registry: str = ""
    repository: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A file that an image needs; `size` is 0 while it is not here. `shared`: others need it too.

    The rest is as in `BlobRecord`.
    """

    digest: str
    size: int
    used_at: float
    registry: str
    mirror: str
    seconds: float
    shared: bool


@dataclass(slots=True)
class Candidate:
    """A root with its tags, as (registry, repository, tag), and all the parts below it."""

    root: Root
    names: list[tuple[str, str, str]] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)


async def read_roots(catalog: Catalog, after: Root | None) -> list[Root]:
    """Read the next page of roots, least recently used first; empty when there are no more."""
    place = (after.used_at, after.digest) if after is not None else (-1.0, "")
    rows = await catalog.survey(_ROOTS, *place, PAGE_ROOTS)
    roots: list[Root] = []
    parts = 0
    for digest, used_at, registry, repository, count in rows:
        parts += int(count)
        if roots and parts > PAGE_PARTS:
            break
        roots.append(Root(str(digest), float(used_at), str(registry), str(repository)))
    return roots


async def _go_on() -> None:
    pass


async def read_candidates(
    catalog: Catalog, roots: Sequence[Root], pause: Callable[[], Awaitable[None]] = _go_on
) -> list[Candidate]:
    """Read what belongs to `roots`; a part is shared when a manifest outside of them lists it.

    Making objects of a page's rows takes milliseconds: `pause` is called every few rows.
    """
    asked = json.dumps([root.digest for root in roots])
    names: defaultdict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for digest, registry, repository, tag in await catalog.survey(_NAMES, asked):
        names[str(digest)].append((str(registry), str(repository), str(tag)))
    found = {root.digest: Candidate(root, names[root.digest]) for root in roots}
    rows = await catalog.survey(_PARTS, asked)
    for start in range(0, len(rows), _ROWS_AT_A_TIME):
        await pause()
        _add_parts(found, rows[start : start + _ROWS_AT_A_TIME])
    return list(found.values())


def _add_parts(found: dict[str, Candidate], rows: Rows) -> None:
    for root, digest, size, used_at, registry, mirror, seconds, shared in rows:
        parts = found[str(root)].parts
        if digest not in parts:
            parts[str(digest)] = Part(
                digest=str(digest),
                size=int(size),
                used_at=float(used_at),
                registry=str(registry),
                mirror=str(mirror),
                seconds=float(seconds),
                shared=bool(shared),
            )


async def read_loose(catalog: Catalog) -> list[Root]:
    """Find blobs that no manifest lists, the least recently used first, not more than 2,000.

    Looks at every blob there is, in steps: about a second for a million, none of it on the loop.
    """
    found: list[Root] = []
    after = ""
    while True:
        [(last,)] = await catalog.survey(_SCAN_TO, after, _SCANNED) or [("",)]
        if not last:
            return found
        rows = await catalog.survey(_LOOSE, after, last, _MOST_LOOSE)
        if rows:
            found += _loose(rows)
            found = sorted(found, key=lambda root: (root.used_at, root.digest))[:_MOST_LOOSE]
        after = str(last)


def _loose(rows: Iterable[Sequence[object]]) -> list[Root]:
    return [Root(str(digest), float(str(used_at))) for used_at, digest in rows]
