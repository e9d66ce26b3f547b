"""Records as rows of the catalog's tables, and back; columns in the order of the schema."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from entrepot.errors import RequestError
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.store.database import Row, Statement, Value
from entrepot.store.record import BlobRecord, Child, ManifestRecord, TagKey, TagRecord

log = structlog.get_logger(__name__)

# Not REPLACE: that would go past the triggers that keep the totals.
_PUT_MANIFEST = """
    INSERT INTO manifests VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET
    media_type = excluded.media_type, size = excluded.size, mirror = excluded.mirror,
    used_at = max(used_at, excluded.used_at)
"""
_PUT_LINK = "INSERT OR REPLACE INTO links VALUES (?, ?, ?, ?, ?)"
_PUT_BLOB = """
    INSERT INTO blobs VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET
    size = excluded.size, used_at = max(used_at, excluded.used_at),
    registry = iif(mirror = '', excluded.registry, registry),
    seconds = iif(mirror = '', excluded.seconds, seconds),
    mirror = iif(mirror = '', excluded.mirror, mirror)
"""


def tag_records(rows: Iterable[tuple[Value, ...]]) -> list[TagRecord]:
    """Read rows of `tags`; one that makes no sense is logged and left out."""
    records = []
    for row in rows:
        registry, repository, tag, digest, media_type, size, checked_at, mirror, level = row
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
                level=int(level),
            )
        except (RequestError, ValueError) as error:
            log.warning("catalog.bad_tag", repository=repository, tag=tag, error=str(error))
            continue
        records.append(record)
    return records


def tag_key(registry: object, repository: object, tag: object) -> TagKey:
    """Read the first columns of `tags`."""
    return str(registry), RepositoryName(str(repository)), Tag(str(tag))


def tag_row(record: TagRecord) -> Row:
    """Write a row of `tags`."""
    return (
        *record.key,
        str(record.digest),
        record.media_type,
        record.size,
        record.checked_at,
        record.mirror,
        record.level,
    )


def manifest_record(row: tuple[Value, ...]) -> ManifestRecord:
    """Read a row of `manifests`."""
    digest, media_type, size, mirror, registry, repository, used_at = row
    return ManifestRecord(
        digest=Digest.parse(str(digest)),
        media_type=str(media_type),
        size=int(size),
        mirror=str(mirror),
        registry=str(registry),
        repository=str(repository),
        used_at=float(used_at),
    )


def manifest_row(manifest: ManifestRecord) -> Row:
    """Write a row of `manifests`."""
    return (
        str(manifest.digest),
        manifest.media_type,
        manifest.size,
        manifest.mirror,
        manifest.registry,
        manifest.repository,
        manifest.used_at,
    )


def link_rows(manifest: Digest, children: Sequence[Child]) -> list[Row]:
    """Write rows of `links`."""
    name = str(manifest)
    return [(name, str(c.digest), c.media_type, c.size, c.platform) for c in children]


def blob_record(row: tuple[Value, ...]) -> BlobRecord:
    """Read a row of `blobs`."""
    digest, size, added_at, used_at, registry, mirror, seconds = row
    return BlobRecord(
        digest=Digest.parse(str(digest)),
        size=int(size),
        added_at=float(added_at),
        used_at=float(used_at),
        registry=str(registry),
        mirror=str(mirror),
        seconds=float(seconds),
    )


def blob_row(blob: BlobRecord) -> Row:
    """Write a row of `blobs`."""
    return (
        str(blob.digest),
        blob.size,
        blob.added_at,
        blob.used_at,
        blob.registry,
        blob.mirror,
        blob.seconds,
    )


def blob_statement(blob: BlobRecord) -> Statement:
    """Write what is known of a file in the blob store."""
    return Statement(_PUT_BLOB, [blob_row(blob)])


def manifest_statements(manifest: ManifestRecord, children: Sequence[Child]) -> list[Statement]:
    """Write what a manifest is and what it points at, and that its bytes are here."""
    blob = BlobRecord(
        digest=manifest.digest,
        size=manifest.size,
        added_at=manifest.used_at,
        used_at=manifest.used_at,
        registry=manifest.registry,
        mirror=manifest.mirror,
    )
    return [
        Statement(_PUT_MANIFEST, [manifest_row(manifest)]),
        Statement(_PUT_LINK, link_rows(manifest.digest, children)),
        blob_statement(blob),
    ]
