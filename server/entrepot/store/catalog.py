"""The index over the blobs: what tags mean, which blobs are manifests, what they point at."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from entrepot.errors import Corrupt, RequestError
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.committer import Committer
from entrepot.store.database import Database, Row, Statement, Value
from entrepot.store.record import Child, ManifestRecord, TagKey, TagRecord

log = structlog.get_logger(__name__)

FLUSH_AFTER_S = 5.0

_ALL_TAGS = (
    "SELECT registry, repository, tag, digest, media_type, size, checked_at, mirror FROM tags"
)
_PUT_TAG = "INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_TOUCH_TAG = "UPDATE tags SET checked_at = ? WHERE registry = ? AND repository = ? AND tag = ?"
_DELETE_TAG = "DELETE FROM tags WHERE registry = ? AND repository = ? AND tag = ?"
_PUT_MANIFEST = "INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?)"
_PUT_LINK = "INSERT OR REPLACE INTO links VALUES (?, ?, ?, ?)"
_MANIFEST = "SELECT digest, media_type, size, mirror FROM manifests WHERE digest = ?"
_CHILD_SIZES = "SELECT DISTINCT size FROM links WHERE child = ? LIMIT 2"


class Catalog:
    """Tags live in memory and are written through; everything else is asked of the database.

    It can be rebuilt from the blobs, so a broken file costs no more than what it knew: it is
    moved aside, a new one takes over, with the tags that are in memory. Not needed to serve a
    blob that is cached. Async methods raise StoreError or DiskFull.
    """

    def __init__(self, path: Path, *, flush_after_s: float = FLUSH_AFTER_S) -> None:
        """`flush_after_s` is how long a touch may stay in memory only."""
        self._database = Database(path)
        self._committer = Committer(self._database, self._put_all_tags)
        self._flush_after_s = flush_after_s
        self._tags: dict[tuple[str, RepositoryName], dict[Tag, TagRecord]] = {}
        self._touched: dict[TagKey, float] = {}
        self._flush: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Load the tags; StoreTooNew when a later version wrote the file."""
        try:
            await self._database.open()
            rows = await self._database.fetch(_ALL_TAGS)
        except Corrupt:
            await self._database.replace()
            rows = []
        except BaseException:
            await self._database.aclose()
            raise
        for record in _tag_records(rows):
            self._remember(record)
        self._committer.start()

    async def aclose(self) -> None:
        """Write what is only in memory, close the file and end its threads; safe to call twice."""
        self._flush_touched()
        try:
            await self._committer.aclose()
        finally:
            await self._database.aclose()

    def tag(self, registry: str, repository: RepositoryName, tag: Tag) -> TagRecord | None:
        """Tell what a tag was last seen to mean; from memory."""
        return self._tags.get((registry, repository), {}).get(tag)

    def tags(self, registry: str, repository: RepositoryName) -> tuple[TagRecord, ...]:
        """List what is known of a repository, in the order of the tags; from memory."""
        known = self._tags.get((registry, repository), {})
        return tuple(known[tag] for tag in sorted(known))

    async def put_tag(self, record: TagRecord) -> None:
        """Keep what a tag means: committed, and in memory, when this returns."""
        await self._committer.submit(
            [Statement(_PUT_TAG, [_tag_row(record)])], lambda: self._remember(record)
        )

    def touch_tag(self, key: TagKey, checked_at: float) -> None:
        """Note that a tag was found unchanged: at once in memory, on the disk some seconds later.

        `checked_at` is seconds of the epoch. Nothing happens for a tag that is not known.
        """
        registry, repository, tag = key
        record = self.tag(registry, repository, tag)
        if record is None:
            return
        self._remember(replace(record, checked_at=checked_at))
        self._touched[key] = checked_at
        if self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(self._flush_after_s, self._flush_touched)

    async def delete_tag(self, key: TagKey) -> None:
        """Forget a tag, in memory and on the disk."""
        await self._committer.submit([Statement(_DELETE_TAG, [key])], lambda: self._forget(key))

    async def put_manifest(self, manifest: ManifestRecord, children: Sequence[Child]) -> None:
        """Keep what a manifest is and what it points at; its bytes are in the blob store (P6)."""
        await self._committer.submit(_manifest_statements(manifest, children))

    async def record(
        self, manifest: ManifestRecord, children: Sequence[Child], tag: TagRecord
    ) -> None:
        """Keep a manifest and the tag that led to it, in one transaction (P6)."""
        await self._committer.submit(
            [*_manifest_statements(manifest, children), Statement(_PUT_TAG, [_tag_row(tag)])],
            lambda: self._remember(tag),
        )

    async def manifest(self, digest: Digest) -> ManifestRecord | None:
        """Tell what is known of a manifest; None also when the catalog was lost."""
        for name, media_type, size, mirror in await self._fetch(_MANIFEST, str(digest)):
            return ManifestRecord(Digest.parse(str(name)), str(media_type), int(size), str(mirror))
        return None

    async def is_manifest(self, digest: Digest) -> bool:
        """Whether there is a record of a manifest by that digest."""
        return bool(await self._fetch(_MANIFEST, str(digest)))

    async def child_size(self, digest: Digest) -> int | None:
        """Tell a blob's size in bytes as manifests say it; None when none does or they disagree."""
        sizes = await self._fetch(_CHILD_SIZES, str(digest))
        return int(sizes[0][0]) if len(sizes) == 1 else None

    async def _fetch(self, sql: str, *row: Value) -> list[tuple[Value, ...]]:
        generation = self._database.generation
        try:
            return await self._database.fetch(sql, row)
        except Corrupt as error:
            log.warning("catalog.unreadable", error=str(error))
            await self._committer.submit([], broken=generation)
            return []

    def _remember(self, record: TagRecord) -> None:
        self._tags.setdefault((record.registry, record.repository), {})[record.tag] = record
        self._touched.pop(record.key, None)

    def _forget(self, key: TagKey) -> None:
        registry, repository, tag = key
        known = self._tags.get((registry, repository), {})
        known.pop(tag, None)
        if not known:
            self._tags.pop((registry, repository), None)
        self._touched.pop(key, None)

    def _flush_touched(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if self._touched:
            rows = [(checked_at, *key) for key, checked_at in self._touched.items()]
            self._touched.clear()
            # the next question asked of the mirrors says it again, should this fail
            _ = self._committer.submit([Statement(_TOUCH_TAG, rows)])

    def _put_all_tags(self) -> list[Statement]:
        rows = [_tag_row(each) for known in self._tags.values() for each in known.values()]
        return [Statement(_PUT_TAG, rows)]


def _tag_records(rows: Iterable[tuple[Value, ...]]) -> list[TagRecord]:
    records = []
    for registry, repository, tag, digest, media_type, size, checked_at, mirror in rows:
        try:
            record = TagRecord(
                registry=str(registry),
                repository=RepositoryName.parse(str(repository)),
                tag=Tag.parse(str(tag)),
                digest=Digest.parse(str(digest)),
                media_type=str(media_type),
                size=int(size),
                checked_at=float(checked_at),
                mirror=str(mirror),
            )
        except (RequestError, ValueError) as error:
            log.warning("catalog.bad_tag", repository=repository, tag=tag, error=str(error))
            continue
        records.append(record)
    return records


def _tag_row(record: TagRecord) -> Row:
    return (
        *record.key,
        str(record.digest),
        record.media_type,
        record.size,
        record.checked_at,
        record.mirror,
    )


def _manifest_statements(manifest: ManifestRecord, children: Sequence[Child]) -> list[Statement]:
    name = str(manifest.digest)
    links = [(name, str(digest), media_type, size) for digest, media_type, size in children]
    row = (name, manifest.media_type, manifest.size, manifest.mirror)
    return [Statement(_PUT_MANIFEST, [row]), Statement(_PUT_LINK, links)]
