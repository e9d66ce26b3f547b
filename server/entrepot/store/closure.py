"""All that an image needs, as far as it is known here: gathered, then judged."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from entrepot.errors import StoreError
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import is_config, is_index, is_schema1, read_document
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.children import children_of
from entrepot.store.completeness import Completeness, Held, judge
from entrepot.store.database import Rows
from entrepot.store.record import Child

log = structlog.get_logger(__name__)

_LARGEST_BYTES = 8 << 20
_AT_A_TIME = 10
_TREE = """
    WITH RECURSIVE tree (manifest, depth) AS (
        SELECT value, 0 FROM json_each(?)
        UNION
        SELECT links.child, depth + 1 FROM tree
        JOIN links ON links.manifest = tree.manifest
        JOIN manifests ON manifests.digest = links.child
        WHERE depth < 4
    )
"""
_MANIFESTS = f"""{_TREE}
    SELECT DISTINCT manifests.digest, manifests.media_type, coalesce(blobs.size, -1)
    FROM tree JOIN manifests ON manifests.digest = tree.manifest
    LEFT JOIN blobs ON blobs.digest = manifests.digest
"""  # noqa: S608 - nothing in it comes from anybody
_LINKS = f"""{_TREE}
    SELECT DISTINCT links.manifest, links.child, links.media_type, links.size, links.platform,
        coalesce(blobs.size, -1)
    FROM tree JOIN links ON links.manifest = tree.manifest
    LEFT JOIN blobs ON blobs.digest = links.child
"""  # noqa: S608
_PARENTS = """
    SELECT DISTINCT manifests.digest, manifests.media_type, manifests.size, links.platform
    FROM links JOIN manifests ON manifests.digest = links.manifest
    WHERE links.child = ? ORDER BY manifests.used_at DESC LIMIT 4
"""

Ask = Callable[..., Awaitable[Rows]]


@dataclass(slots=True)
class _Found:
    """What is known of some images: manifests with their children, and the files that are here.

    The children of `parsed` ones are from their bytes, of the others as the catalog has them.
    """

    types: dict[Digest, str] = field(default_factory=dict)
    children: dict[Digest, tuple[Child, ...]] = field(default_factory=dict)
    present: dict[Digest, int] = field(default_factory=dict)
    parsed: set[Digest] = field(default_factory=set)

    def everything(self) -> set[Digest]:
        listed = (child.digest for each in self.children.values() for child in each)
        return {*self.types, *listed}


class Closure:
    """Finds out how complete images are. Methods raise StoreError."""

    def __init__(self, catalog: Catalog, store: BlobStore) -> None:
        self._catalog = catalog
        self._store = store

    async def survey(self, roots: Sequence[Child]) -> list[Completeness]:
        """Tell it of many, beside the requests; what the catalog has a row of counts as here.

        Platforms that no index tells are read out of configs. A few are done at a time: requests
        have their turn in between.
        """
        judged: list[Completeness] = []
        for first in range(0, len(roots), _AT_A_TIME):
            judged += await self._survey(roots[first : first + _AT_A_TIME])
        return judged

    async def _survey(self, roots: Sequence[Child]) -> list[Completeness]:
        found = await self._gather(roots, self._catalog.survey)
        held = await self._read(found)
        held = await self._with_platforms(roots, found, held)
        return [judge(root, held, found.present) for root in roots]

    async def check(self, root: Child, manifest: Manifest | None = None) -> Completeness:
        """Tell it of one while a request waits; only files that are really here count.

        `manifest` is the root's own, where it is at hand: then it counts as here, wherever it is.
        """
        children = children_of(manifest) if manifest is not None else ()
        found = await self._gather([root, *children], self._catalog.ask)
        if manifest is not None:
            found.types[root.digest] = manifest.media_type
            found.children[root.digest] = children
            found.parsed.add(root.digest)
        found.present = await self._store.sizes(found.everything())
        if manifest is not None:
            found.present[root.digest] = manifest.size
        held = await self._read(found)
        judged = judge(root, held, found.present)
        if judged.complete:
            return judged
        held = await self._with_platforms([root], found, held)
        return judge(root, held, found.present)

    async def parents(self, digest: Digest) -> list[tuple[Child, str]]:
        """List what lists a manifest, the last used first, with the platform it gives it there."""
        rows = await self._catalog.ask(_PARENTS, str(digest))
        return [
            (Child(Digest.parse(str(parent)), str(media_type), int(size)), str(platform))
            for parent, media_type, size, platform in rows
        ]

    async def _gather(self, roots: Iterable[Child], ask: Ask) -> _Found:
        wanted = json.dumps([str(root.digest) for root in roots])
        found = _Found()
        for digest, media_type, size in await ask(_MANIFESTS, wanted):
            named = Digest.parse(str(digest))
            found.types[named] = str(media_type)
            if int(size) >= 0:
                found.present[named] = int(size)
        children: dict[Digest, list[Child]] = defaultdict(list)
        for parent, digest, media_type, size, platform, here in await ask(_LINKS, wanted):
            child = Child(Digest.parse(str(digest)), str(media_type), int(size), str(platform))
            children[Digest.parse(str(parent))].append(child)
            if int(here) >= 0:
                found.present[child.digest] = int(here)
        found.children = {parent: tuple(listed) for parent, listed in children.items()}
        return found

    async def _read(self, found: _Found) -> dict[Digest, Held]:
        """Make the manifests known, reading those of which the catalog does not tell enough.

        It does not know content that stands in the manifest itself (F-7), nor schema 1's layers.
        """
        held = {}
        for digest, media_type in found.types.items():
            children = found.children.get(digest, ())
            told = children and all(child.digest in found.present for child in children)
            if digest not in found.parsed and (is_schema1(media_type) or not told):
                body = await self._body(digest) if digest in found.present else None
                if body is not None:
                    children = children_of(Manifest(digest, media_type, body))
            held[digest] = Held(media_type, children)
        await self._add_unlisted(found, held)
        return held

    async def _add_unlisted(self, found: _Found, held: Mapping[Digest, Held]) -> None:
        """Look for files that only the manifests' own bytes name."""
        listed = {child.digest for each in held.values() for child in each.children}
        unlisted = listed - found.everything()
        if unlisted:
            found.present.update(await self._store.sizes(unlisted))

    async def _with_platforms(
        self, roots: Iterable[Child], found: _Found, held: Mapping[Digest, Held]
    ) -> dict[Digest, Held]:
        asked = [*roots, *(child for each in held.values() for child in each.children)]
        untold = {child.digest for child in asked if not child.platform}
        known = dict(held)
        for digest, one in held.items():
            if digest not in untold or is_index(one.media_type):
                continue
            for child in one.children:
                if is_config(child.media_type) and child.digest in found.present:
                    platform = _platform(await self._body(child.digest))
                    known[digest] = replace(one, platform=platform)
        return known

    async def _body(self, digest: Digest) -> bytes | None:
        try:
            return await self._store.read(digest, _LARGEST_BYTES)
        except StoreError as error:  # what cannot be read is as good as not here
            log.warning("image.unreadable", digest=str(digest), reason=str(error))
            return None


def _platform(config: bytes | None) -> str:
    try:
        document = read_document(config or b"")
    except ValueError:
        return ""
    parts = (document.get(key) for key in ("os", "architecture", "variant"))
    return "/".join(part for part in parts if isinstance(part, str) and part)
