"""The index over the blobs: what tags mean, which blobs are manifests, what they point at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from entrepot.errors import Corrupt, StoreError
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.ballast import Ballast
from entrepot.store.committer import Committer
from entrepot.store.database import Database, Row, Rows, Statement, Value
from entrepot.store.ledgerrow import ALL_ROWS, APPEND
from entrepot.store.record import (
    BlobRecord,
    Child,
    ManifestRecord,
    Removed,
    TagKey,
    TagRecord,
    Totals,
)
from entrepot.store.removal import read_removed, remove_blobs, remove_images
from entrepot.store.rows import (
    blob_record,
    blob_statement,
    manifest_record,
    manifest_statements,
    tag_key,
    tag_records,
    tag_row,
)
from entrepot.store.tagmemory import TagMemory
from entrepot.store.uses import Uses

log = structlog.get_logger(__name__)

FLUSH_AFTER_S = 5.0
TAGS_IN_MEMORY = 20_000

_ALL_TAGS = """
    SELECT registry, repository, tag, digest, media_type, size, checked_at, mirror, level FROM tags
"""
_TAG = f"{_ALL_TAGS} WHERE registry = ? AND repository = ? AND tag = ?"
_TAGS = f"{_ALL_TAGS} WHERE registry = ? AND repository = ? ORDER BY tag"
_TAGS_OF = f"{_ALL_TAGS} WHERE digest = ? ORDER BY registry, repository, tag LIMIT ?"
_PUT_TAG = "INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_AMEND_TAG = """
    UPDATE tags SET checked_at = ?, level = ?
    WHERE registry = ? AND repository = ? AND tag = ? AND digest = ? AND checked_at <= ?
"""
_DELETE_TAG = "DELETE FROM tags WHERE registry = ? AND repository = ? AND tag = ?"
_MANIFEST = """
    SELECT digest, media_type, size, mirror, registry, repository, used_at FROM manifests
    WHERE digest = ?
"""
_BLOB = """
    SELECT digest, size, added_at, used_at, registry, mirror, seconds FROM blobs WHERE digest = ?
"""
_CHILD_SIZES = "SELECT DISTINCT size FROM links WHERE child = ? LIMIT 2"
_TOTALS = "SELECT blobs, bytes FROM totals"
_SWEPT = "SELECT value FROM upkeep WHERE name = 'swept'"


class Catalog:
    """Recent tags live in memory and are written through; the rest is asked of the database.

    It can be rebuilt from the blobs, so a broken file costs no more than what it knew: it is
    moved aside, a new one takes over, with the tags that are in memory. Not needed to serve a
    blob that is cached. Async methods raise StoreError or DiskFull.
    """

    def __init__(
        self,
        path: Path,
        ballast: Ballast | None = None,
        *,
        flush_after_s: float = FLUSH_AFTER_S,
        tags_in_memory: int = TAGS_IN_MEMORY,
    ) -> None:
        """`flush_after_s` is how long a use or a check may stay in memory only."""
        self._database = Database(path, ballast)
        self._committer = Committer(self._database, self._salvage)
        self._flush_after_s = flush_after_s
        self._tags = TagMemory(tags_in_memory)
        self._uses = Uses()
        self._flush: asyncio.TimerHandle | None = None
        self._incomplete = asyncio.Event()

    async def open(self) -> None:
        """Open the file; StoreTooNew when a later version wrote it. Reads nothing in advance."""
        try:
            await self._database.open()
        except Corrupt:
            await self._database.replace()
        self._committer.start()
        try:
            if not await self._fetch(_SWEPT):
                self._incomplete.set()
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Write what is only in memory, close the file and end its threads; safe to call twice."""
        self._flush_uses()
        try:
            await self._committer.aclose()
        finally:
            await self._database.aclose()

    @property
    def replaced(self) -> bool:
        """Whether the file was broken, and a new one begun: what it knew has to be found again."""
        return self._database.generation > 0

    @property
    def lost(self) -> bool:
        """Whether there was no file, or only a broken one: it knows nothing of before."""
        return self._database.created or self.replaced

    @property
    def incomplete(self) -> bool:
        """Whether files may lie below `blobs/` that it has not heard of, as after it was lost.

        Until they have been swept up, what they are has to be told by looking into them.
        """
        return self._incomplete.is_set()

    async def until_incomplete(self) -> None:
        """Return once it is incomplete, which is at once if it is now."""
        await self._incomplete.wait()

    def complete(self) -> None:
        """Note that every file has been swept up."""
        self._incomplete.clear()

    @property
    def generation(self) -> int:
        """How many files have broken and been replaced since the start."""
        return self._database.generation

    @property
    def unwritten(self) -> int:
        """How many changes could not be written since the start."""
        return self._committer.failures

    # -- tags ------------------------------------------------------------

    def peek_tag(self, registry: str, repository: RepositoryName, tag: Tag) -> TagRecord | None:
        """Tell what a tag was last seen to mean, if that is in memory: no await, no I/O."""
        return self._tags.get((registry, repository, tag))

    async def tag(self, registry: str, repository: RepositoryName, tag: Tag) -> TagRecord | None:
        """Tell what a tag was last seen to mean; from memory, or from the database into memory."""
        key = (registry, repository, tag)
        known = self._tags.get(key)
        if known is not None:
            return known
        changes = self._tags.changes
        records = tag_records(await self._fetch(_TAG, *key))
        # whatever happened to tags meanwhile, memory knows it and the rows read may not
        if self._tags.changes != changes and (known := self._tags.get(key)) is not None:
            return known
        if records and self._tags.changes == changes:
            self._tags.put(records[0])
        return records[0] if records else None

    async def tags(self, registry: str, repository: RepositoryName) -> tuple[TagRecord, ...]:
        """List what is known of a repository, in the order of the tags."""
        return tuple(tag_records(await self._fetch(_TAGS, registry, repository)))

    async def tags_of(self, digest: Digest, limit: int) -> tuple[TagRecord, ...]:
        """List tags that mean `digest`, of whatever repository; `limit` of them at most."""
        return tuple(tag_records(await self._fetch(_TAGS_OF, str(digest), limit)))

    async def put_tag(self, record: TagRecord) -> None:
        """Keep what a tag means: committed, and in memory, when this returns."""
        await self._committer.submit(
            [Statement(_PUT_TAG, [tag_row(record)])], lambda: self._remember(record)
        )

    async def amend_tag(self, before: TagRecord, record: TagRecord) -> None:
        """Keep another level or time of the same answer, unless the tag was written since `before`.

        Whoever looked into it for a while may be behind an import, a removal or another answer.
        """
        guard = (*before.key, str(before.digest), before.checked_at)
        row = (record.checked_at, record.level, *guard)
        await self._committer.submit(
            [Statement(_AMEND_TAG, [row])], lambda: self._tags.revise(before, record)
        )

    def touch_tag(self, record: TagRecord, checked_at: float) -> None:
        """Note that a tag was found unchanged: at once in memory, on the disk some seconds later.

        `checked_at` is seconds of the epoch. Nothing happens if the tag was written meanwhile.
        """
        known = self._tags.get(record.key)
        if known is not None and replace(known, checked_at=record.checked_at) != record:
            return
        if known is not None:
            self._tags.put(replace(record, checked_at=checked_at))
        self._uses.tag_checked(record.key, checked_at)
        self._flush_later()

    def vet_tag(self, before: TagRecord, record: TagRecord) -> None:
        """Take in what `before` counts for by the pins and policies of now, if it still holds."""
        self._tags.revise(before, record)

    async def delete_tag(self, key: TagKey) -> None:
        """Forget a tag, in memory and on the disk."""
        await self._committer.submit([Statement(_DELETE_TAG, [key])], lambda: self._forget(key))

    # -- manifests and blobs ------------------------------------------------------------

    async def put_manifest(self, manifest: ManifestRecord, children: Sequence[Child]) -> None:
        """Keep what a manifest is and what it points at; its bytes are in the blob store (P6)."""
        await self._committer.submit(manifest_statements(manifest, children))

    async def record(
        self, manifest: ManifestRecord, children: Sequence[Child], tag: TagRecord
    ) -> None:
        """Keep a manifest and the tag that led to it, in one transaction (P6)."""
        await self._committer.submit(
            [*manifest_statements(manifest, children), Statement(_PUT_TAG, [tag_row(tag)])],
            lambda: self._remember(tag),
        )

    async def put_blob(self, blob: BlobRecord) -> None:
        """Keep what is known of a file in the blob store."""
        await self._committer.submit([blob_statement(blob)])

    def use_manifest(self, digest: Digest, now: float) -> None:
        """Note that a manifest was asked for; costs no I/O now. `now` is seconds of the epoch."""
        self._uses.manifest(digest, now)
        self._flush_later()

    def use_blob(self, digest: Digest, now: float) -> None:
        """Note that a blob was asked for, as `use_manifest` does."""
        self._uses.blob(digest, now)
        self._flush_later()

    def just_used(self, digest: Digest) -> bool:
        """Whether it was asked for since uses were last written: the database is behind."""
        return self._uses.knows(digest)

    async def manifest(self, digest: Digest) -> ManifestRecord | None:
        """Tell what is known of a manifest; None also when the catalog was lost."""
        rows = await self._fetch(_MANIFEST, str(digest))
        return manifest_record(rows[0]) if rows else None

    async def is_manifest(self, digest: Digest) -> bool:
        """Whether there is a record of a manifest by that digest."""
        return bool(await self._fetch(_MANIFEST, str(digest)))

    async def blob(self, digest: Digest) -> BlobRecord | None:
        """Tell what is known of a file in the blob store; None also when the catalog was lost."""
        rows = await self._fetch(_BLOB, str(digest))
        return blob_record(rows[0]) if rows else None

    async def child_size(self, digest: Digest) -> int | None:
        """Tell a blob's size in bytes as manifests say it; None when none does or they disagree."""
        sizes = await self._fetch(_CHILD_SIZES, str(digest))
        return int(sizes[0][0]) if len(sizes) == 1 else None

    # -- the whole ------------------------------------------------------------

    async def totals(self) -> Totals:
        """Tell how much there is below `blobs/`; takes the same time for much as for little."""
        for blobs, size in await self._fetch(_TOTALS):
            return Totals(int(blobs), int(size))
        return Totals()

    async def remove_images(
        self,
        roots: Iterable[Digest],
        held: Collection[Digest],
        named: Mapping[Digest, int] | None = None,
    ) -> Removed:
        """Take manifests out, with their tags and with what nothing else lists; all or nothing.

        Blobs in `held` stay, and roots that have more tags by now than `named` says. The files are
        the caller's to remove, afterwards: a process that dies in between leaves files without a
        row, never a row without its file.
        """
        return await self._remove(remove_images(roots, held, named))

    async def remove_blobs(self, digests: Iterable[Digest]) -> Removed:
        """Forget blobs, and manifests among them, but not the tags that lead to them."""
        return await self._remove(remove_blobs(digests))

    async def ask(self, sql: str, *row: Value) -> Rows:
        """Ask something small, for which a request waits."""
        return await self._fetch(sql, *row)

    async def drop_tags(self, statements: Sequence[Statement]) -> int:
        """Run statements that answer with the keys of the tags they removed; how many those are."""
        answers = await self._committer.submit(statements)
        keys = [tag_key(*row) for rows in answers for row in rows]
        for key in keys:
            self._forget(key)
        return len(keys)

    async def survey(self, sql: str, *row: Value) -> Rows:
        """Ask something that may take long, beside what requests ask."""
        return await self._ask(self._database.survey, sql, row)

    async def write(self, statements: Sequence[Statement]) -> list[Rows]:
        """Run statements of another module of the store, in one transaction."""
        return await self._committer.submit(statements)

    def queue(self, statements: Sequence[Statement]) -> None:
        """Have statements written soon; nobody waits, and a failure is only logged."""
        _ = self._committer.submit(statements)

    async def flush(self) -> None:
        """Write the uses noted so far."""
        statements = self._take_uses()
        if statements:
            await self._committer.submit(statements)

    async def _remove(self, statements: Sequence[Statement]) -> Removed:
        removed = read_removed(await self._committer.submit(statements))
        for key in removed.tags:
            self._forget(key)
        return removed

    async def _fetch(self, sql: str, *row: Value) -> Rows:
        return await self._ask(self._database.fetch, sql, row)

    async def _ask(self, ask: Callable[[str, Row], Awaitable[Rows]], sql: str, row: Row) -> Rows:
        generation = self._database.generation
        try:
            return await ask(sql, row)
        except Corrupt as error:
            log.warning("catalog.unreadable", error=str(error))
            await self._committer.submit([], broken=generation)
            return []
        except StoreError:
            if not self._committer.replacing:
                raise
            await self._committer.submit([])  # returns when there is a new file
            return await ask(sql, row)

    def _remember(self, record: TagRecord) -> None:
        self._tags.put(record)
        self._uses.drop_tag(record.key)

    def _forget(self, key: TagKey) -> None:
        self._tags.drop(key)
        self._uses.drop_tag(key)

    def _flush_later(self) -> None:
        if self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(self._flush_after_s, self._flush_uses)

    def _flush_uses(self) -> None:
        statements = self._take_uses()
        if statements:
            # should this fail, the next use of each says it again
            _ = self._committer.submit(statements)

    def _take_uses(self) -> list[Statement]:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        return self._uses.take()

    async def _salvage(self) -> list[Statement]:
        """Read tags and ledger from a file of which another part broke; tags in memory are newer.

        Nothing else has them: all other tables are made anew of the files.
        """
        self._incomplete.set()
        records = tag_records(await self._salvaged(_ALL_TAGS, "tags"))
        ledger = await self._salvaged(ALL_ROWS, "ledger")
        return [
            Statement(_PUT_TAG, [tag_row(each) for each in (*records, *self._tags.all())]),
            Statement(APPEND, ledger),
        ]

    async def _salvaged(self, sql: str, table: str) -> Rows:
        try:
            return await self._database.survey(sql)
        except StoreError as error:
            log.warning("catalog.table_lost", table=table, error=str(error))
            return []
