"""Entering files in the catalog that it does not know: after a crash, or after it was lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from entrepot.oci.manifest import Manifest
from entrepot.oci.recognition import recognise
from entrepot.store.children import linked_children
from entrepot.store.database import Statement
from entrepot.store.layout import Layout
from entrepot.store.record import BlobRecord, ManifestRecord
from entrepot.store.rows import blob_row, link_rows, manifest_row
from entrepot.store.walk import Found

MOST_MANIFEST_BYTES = 8 << 20

# Nothing that is known already is changed: whoever entered it knew more than a file tells.
_ADOPT_BLOB = "INSERT INTO blobs VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING"
_ADOPT_MANIFEST = (
    "INSERT INTO manifests VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING"
)
_ADOPT_LINK = "INSERT OR REPLACE INTO links VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Looked:
    """A file and what it turned out to be: a manifest, or None for any other blob."""

    found: Found
    manifest: Manifest | None


def look_into(layout: Layout, found: Found) -> Looked | None:
    """Tell by its content what a file is; None when it is gone. Blocks: it may read 8 MiB."""
    try:
        with layout.blob(found.digest).open("rb") as file:
            body = file.read(1)
            if body != b"{" or found.size > MOST_MANIFEST_BYTES:
                return Looked(found, None)
            body += file.read(MOST_MANIFEST_BYTES)
    except FileNotFoundError:
        return None
    return Looked(found, recognise(found.digest, body))


def adoption(looked: Iterable[Looked]) -> list[Statement]:
    """Make the statements that enter files, and manifests with what they list."""
    every = list(looked)
    manifests = [(each.found, each.manifest) for each in every if each.manifest is not None]
    return [
        Statement(_ADOPT_BLOB, [blob_row(_blob(each.found)) for each in every]),
        Statement(_ADOPT_MANIFEST, [manifest_row(_manifest(f, m)) for f, m in manifests]),
        Statement(
            _ADOPT_LINK,
            [row for _, m in manifests for row in link_rows(m.digest, linked_children(m))],
        ),
    ]


def _blob(found: Found) -> BlobRecord:
    return BlobRecord(found.digest, found.size, added_at=found.mtime, used_at=found.mtime)


def _manifest(found: Found, manifest: Manifest) -> ManifestRecord:
    return ManifestRecord(
        found.digest, manifest.media_type, found.size, mirror="", used_at=found.mtime
    )
