"""What is attached to images and is none itself: signatures, attestations, bills of materials.

They travel without a signature of their own, so nothing that could run may pass for one. Programs
in Go read JSON with any case of a key, and with keys twice; what is not plainly written is
therefore no attachment. Some run a manifest whatever kind it calls its layers (podman does, and
containerd whatever an index calls its artifacts), so that how it is written is not enough: what is
asked for by an image's tag is an image.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import OCI_EMPTY, OCI_INDEX, OCI_MANIFEST
from entrepot.oci.reference import Reference
from entrepot.trust.cosignbundle import BUNDLE_PREFIX

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"

_DOCUMENTS = frozenset(
    {
        SIMPLE_SIGNING,
        OCI_EMPTY,
        "application/vnd.dsse.envelope.v1+json",
        "application/vnd.in-toto+json",
        "application/vnd.cyclonedx",
        "application/vnd.cyclonedx+json",
        "application/vnd.cyclonedx+xml",
        "application/vnd.syft+json",
        "application/spdx+json",
        "application/jose+json",
        "application/cose",
        "text/spdx",
        "text/spdx+json",
        "text/spdx+xml",
    }
)
"""What nobody runs."""
_COMMON = frozenset({"schemaVersion", "mediaType", "artifactType", "subject", "annotations"})
_MANIFEST_KEYS = _COMMON | {"config", "layers"}
_INDEX_KEYS = _COMMON | {"manifests"}
_ENTRY_KEYS = frozenset(
    {"mediaType", "digest", "size", "artifactType", "annotations", "data", "platform", "urls"}
)
_TAG = re.compile(r"sha(?:256|512)-[0-9a-f]{64,128}(?:\.[a-z0-9]+)?", re.ASCII)
"""cosign's, and the one that stands for the referrers of an image (spec "Referrers Tag Schema")."""


def is_asked_as_attachment(reference: Reference) -> bool:
    """Whether what is attached to an image may be meant: it has no tags but those made for it."""
    return isinstance(reference, Digest) or _TAG.fullmatch(reference) is not None


def is_attachment(manifest: Manifest) -> bool:
    """Whether all its layers are documents, or all that it lists says to be an artifact.

    Such a list proves nothing of what it names, which is judged by itself when asked for.
    """
    try:
        document = json.loads(manifest.body.decode(), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        return False
    if not isinstance(document, dict):
        return False
    keys = set(document)
    if manifest.media_type == OCI_INDEX:
        return keys <= _INDEX_KEYS and _all_entries(document.get("manifests"), _is_artifact)
    if manifest.media_type == OCI_MANIFEST:
        layers = document.get("layers")
        return bool(layers) and keys <= _MANIFEST_KEYS and _all_entries(layers, _is_document)
    return False


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _all_entries(entries: object, fits: Callable[[dict[str, object]], bool]) -> bool:
    if not isinstance(entries, list):
        return False
    return all(isinstance(one, dict) and set(one) <= _ENTRY_KEYS and fits(one) for one in entries)


def _is_document(entry: dict[str, object]) -> bool:
    kind = entry.get("mediaType")
    return isinstance(kind, str) and (kind in _DOCUMENTS or kind.startswith(BUNDLE_PREFIX))


def _is_artifact(entry: dict[str, object]) -> bool:
    kind = entry.get("artifactType")
    return isinstance(kind, str) and kind != ""
