"""The images that are here, for people and programs: page by page, never all in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from entrepot.errors import NameInvalid
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.catalog import Catalog
from entrepot.store.closure import Closure
from entrepot.store.completeness import Completeness
from entrepot.store.database import Rows
from entrepot.store.record import Child

PAGE = 100

# `tags` and `manifests` may disagree after a loss; the tag then stands for a manifest that is not
# here. Both lists walk along a primary key from where the last page ended.
_TAGS = """
    SELECT tags.registry, tags.repository, ':' || tags.tag, tags.digest,
        coalesce(manifests.media_type, tags.media_type), coalesce(manifests.size, tags.size),
        tags.mirror, coalesce(manifests.used_at, 0.0), tags.level
    FROM tags LEFT JOIN manifests ON manifests.digest = tags.digest
"""
_TAGS_AFTER = f"""{_TAGS}
    WHERE (tags.registry, tags.repository, tags.tag) > (?, ?, ?)
    AND (tags.registry || '/' || tags.repository || ':' || tags.tag) GLOB ?
    ORDER BY tags.registry, tags.repository, tags.tag LIMIT ?
"""
_TAG = f"{_TAGS} WHERE tags.registry = ? AND tags.repository = ? AND tags.tag = ?"
_MANIFESTS = """
    SELECT registry, repository, '@' || digest, digest, media_type, size, mirror, used_at, 0
    FROM manifests
"""
_UNTAGGED_AFTER = f"""{_MANIFESTS}
    WHERE digest > ? AND (registry || '/' || repository || '@' || digest) GLOB ?
    AND NOT EXISTS (SELECT 1 FROM tags WHERE tags.digest = manifests.digest)
    AND NOT EXISTS (SELECT 1 FROM links WHERE links.child = manifests.digest)
    ORDER BY digest LIMIT ?
"""  # noqa: S608 - nothing in it comes from anybody
_MANIFEST = f"{_MANIFESTS} WHERE digest = ?"

_IN_REPOSITORY = """
    WITH RECURSIVE up (digest, depth) AS (
        SELECT ?, 0
        UNION
        SELECT links.manifest, depth + 1 FROM up JOIN links ON links.child = up.digest
        WHERE depth < 4
    ), named (registry, repository) AS (
        SELECT registry, repository FROM up JOIN manifests ON manifests.digest = up.digest
        UNION ALL
        SELECT registry, repository FROM up JOIN tags ON tags.digest = up.digest
    )
    SELECT 1 FROM named WHERE registry = ? AND repository = ? LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A tag, or a manifest that was pulled by digest and that no tag leads to.

    `reference` is ":tag" or "@digest". `used_at` is seconds of the epoch, 0 when nobody knows;
    `mirror` who told what the tag means, or gave the manifest. `level` is how well a tag's digest
    is vouched for, as `TagRecord.level`; 0 for what has no tag.
    """

    registry: str
    repository: str
    reference: str
    digest: Digest
    media_type: str
    mirror: str
    used_at: float
    completeness: Completeness
    level: int = 0

    @property
    def name(self) -> str:
        """As people write it, with the registry's own name; what `after` and `image` take."""
        return f"{self.registry}/{self.repository}{self.reference}"


class Inventory:
    """Reads on a connection that no request waits for. Methods raise StoreError."""

    def __init__(self, catalog: Catalog, closure: Closure) -> None:
        self._catalog = catalog
        self._closure = closure

    async def images(
        self, pattern: str | None = None, after: str | None = None, limit: int = PAGE
    ) -> tuple[ImageRecord, ...]:
        """List up to `limit` images that come after the one named `after`.

        First tags, in the order of their names, then manifests without one, in that of their
        digests. `pattern` is for the whole name, with * and ? and [a-z]: "registry.k8s.io/*".
        Raises NameInvalid when `after` is no name.
        """
        registry, repository, reference = _split(after) if after is not None else ("", "", ":")
        glob, digest = pattern or "*", ""
        rows: Rows = []
        if reference.startswith(":"):
            start = (registry, repository, reference[1:])
            rows = await self._catalog.survey(_TAGS_AFTER, *start, glob, limit)
        else:
            digest = reference[1:]
        if len(rows) < limit:
            left = limit - len(rows)
            rows += await self._catalog.survey(_UNTAGGED_AFTER, digest, glob, left)
        return await self._records(rows)

    async def image(self, name: str) -> ImageRecord | None:
        """Find one by its name, also a manifest that an index lists; None when it is not here.

        Raises NameInvalid, TagInvalid or DigestInvalid.
        """
        registry, repository, reference = _split(name)
        RepositoryName.parse(repository)
        if reference.startswith("@"):
            Digest.parse(reference[1:])
            rows = await self._catalog.survey(_MANIFEST, reference[1:])
            rows = [(registry, repository, *row[2:]) for row in rows]
        else:
            Tag.parse(reference[1:])
            rows = await self._catalog.survey(_TAG, registry, repository, reference[1:])
        for record in await self._records(rows):
            return record
        return None

    async def belongs(self, name: str) -> bool:
        """Whether it was got, tagged or listed under this very repository.

        `image` finds a digest whoever it came for, which is not for everybody to know. Raises as
        `image` does.
        """
        registry, repository, reference = _split(name)
        if not reference.startswith("@"):
            return True
        digest = str(Digest.parse(reference[1:]))
        return bool(await self._catalog.survey(_IN_REPOSITORY, digest, registry, repository))

    async def _records(self, rows: Rows) -> tuple[ImageRecord, ...]:
        roots = [
            Child(Digest.parse(str(digest)), str(media_type), int(size))
            for _, _, _, digest, media_type, size, _, _, _ in rows
        ]
        judged: Sequence[Completeness] = await self._closure.survey(roots) if roots else ()
        return tuple(
            ImageRecord(
                registry=str(registry),
                repository=str(repository),
                reference=str(reference),
                digest=completeness.digest,
                media_type=completeness.media_type,
                mirror=str(mirror),
                used_at=float(used_at),
                completeness=completeness,
                level=int(level),
            )
            for (
                (registry, repository, reference, _, _, _, mirror, used_at, level),
                completeness,
            ) in zip(rows, judged, strict=True)
        )


def _split(name: str) -> tuple[str, str, str]:
    """Take a name apart into registry, repository and ":tag" or "@digest"."""
    registry, _, rest = name.partition("/")
    repository, at, digest = rest.partition("@")
    if not at:
        repository, at, digest = rest.rpartition(":")
    if not (registry and repository and digest):
        raise NameInvalid(f"{name[:300]!r} is not registry/repository:tag or …@digest")
    return registry, repository, at + digest
