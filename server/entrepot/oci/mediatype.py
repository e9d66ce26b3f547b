"""Media types of manifests, and the ladder that finds the type of some bytes."""

from __future__ import annotations

import json
import re

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
OCTET_STREAM = "application/octet-stream"

_INDEXES = frozenset({DOCKER_LIST, OCI_INDEX})
_SCHEMA1 = frozenset({SCHEMA1, SCHEMA1_SIGNED})
_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_FOREIGN = (
    "application/vnd.docker.image.rootfs.foreign.",
    "application/vnd.oci.image.layer.nondistributable.",
)
_MANIFESTS = frozenset({DOCKER_MANIFEST, OCI_MANIFEST, OCI_ARTIFACT}) | _INDEXES | _SCHEMA1

# U-1: everything, always. A wildcard makes some registries answer schema1; a short list makes
# others answer 404 or turn an index into its amd64 manifest.
ACCEPT = (
    f"{OCI_INDEX}, {DOCKER_LIST}, {OCI_MANIFEST}, {DOCKER_MANIFEST}, {OCI_ARTIFACT},"
    f" {SCHEMA1_SIGNED}, {SCHEMA1}"
)

_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*")


def bare(content_type: str | None) -> str:
    """Cut the parameters and lower the case (C-14, G-2); "" for None."""
    return (content_type or "").partition(";")[0].strip().lower()


def is_index(media_type: str) -> bool:
    """Whether it is a Docker list or an OCI index."""
    return media_type in _INDEXES


def is_schema1(media_type: str) -> bool:
    """Whether it is a Docker schema 1 manifest, signed or not (F-3)."""
    return media_type in _SCHEMA1


def is_manifest(media_type: str) -> bool:
    """Whether it is any manifest or index that we know (F-2)."""
    return media_type in _MANIFESTS


def is_config(media_type: str) -> bool:
    """Whether it is the config of a runnable image, which tells the platform."""
    return media_type in _CONFIGS


def is_foreign(media_type: str) -> bool:
    """Whether it is a layer that clients get from elsewhere, and registries need not have (F-6)."""
    return media_type.startswith(_FOREIGN)


def manifest_type(body: bytes, content_type: str | None) -> str:
    """Find the media type of a manifest's bytes; ValueError when they are no manifest (F-2).

    The type written inside wins: the digest proves it, and clients refuse a header that
    contradicts it (C-14). Then the header, unless the shape contradicts it, then the shape.
    """
    return document_type(read_document(body), content_type)


def read_document(body: bytes) -> dict[str, object]:
    """Parse JSON that must be an object, in UTF-8; ValueError, with a reason, otherwise."""
    try:
        document: object = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        what = "an HTML page" if body.lstrip()[:1] == b"<" else "not JSON"
        raise ValueError(f"not a manifest: {what}") from error
    if isinstance(document, dict):
        return document
    raise ValueError("not a manifest: JSON, but no object")


def document_type(document: dict[str, object], content_type: str | None) -> str:
    """Do as `manifest_type` does, for bytes already parsed."""
    inside = document.get("mediaType")
    declared = inside if isinstance(inside, str) and _WELL_FORMED.fullmatch(inside) else ""
    if is_manifest(declared):
        return declared
    shape = _shape(document)
    header = bare(content_type)
    if shape and is_manifest(header) and _agree(header, shape):
        return header
    if declared or shape:
        return declared or shape
    raise ValueError("not a manifest: a JSON object with nothing in it that a manifest has")


def _shape(document: dict[str, object]) -> str:
    if "manifests" in document:
        return OCI_INDEX
    if "fsLayers" in document:
        return SCHEMA1_SIGNED if "signatures" in document else SCHEMA1
    return OCI_MANIFEST if "config" in document or "layers" in document else ""


def _agree(header: str, shape: str) -> bool:
    if is_schema1(header) or is_schema1(shape):
        return header == shape
    return is_index(header) == is_index(shape)
