"""Telling a manifest by its bytes alone, when nobody remembers what they were got as."""

from __future__ import annotations

from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, read_manifest
from entrepot.oci.mediatype import is_manifest, read_document


def recognise(digest: Digest, body: bytes) -> Manifest | None:
    """Read `body` as a manifest named `digest`; None when it is something else, or not `digest`.

    Stricter than what is taken from a mirror as an answer about manifests: an image's config is
    JSON with a "config" in it as well, and is to stay a blob.
    """
    if not body.lstrip().startswith(b"{"):
        return None
    try:
        if not _has_all_parts(read_document(body)):
            return None
        return read_manifest(body, None, expected=digest)
    except ValueError:
        return None


def _has_all_parts(document: dict[str, object]) -> bool:
    declared = document.get("mediaType")
    if isinstance(declared, str) and is_manifest(declared):
        return True
    if document.get("schemaVersion") == 1:
        return isinstance(document.get("fsLayers"), list)
    if document.get("schemaVersion") != 2:
        return False
    config = document.get("config")
    listed = isinstance(config, dict) and "digest" in config
    return isinstance(document.get("manifests"), list) or (
        listed and isinstance(document.get("layers"), list)
    )
