"""What a manifest points at, as the catalog and the question of completeness see it."""

from __future__ import annotations

from entrepot.oci.descriptor import Descriptor
from entrepot.oci.manifest import Manifest, descriptors, schema1_layers
from entrepot.oci.mediatype import OCTET_STREAM, is_schema1
from entrepot.store.record import Child

NO_PLATFORM = "unknown/unknown"
"""What BuildKit writes for attestations, which run nowhere (F-5)."""
_REFERENCE_TYPE = "vnd.docker.reference.type"
_UNKNOWN_SIZE = -1


def children_of(manifest: Manifest) -> tuple[Child, ...]:
    """List the children of any manifest; what cannot be understood is left out (F-1)."""
    if is_schema1(manifest.media_type):
        layers = schema1_layers(manifest)
        return tuple(Child(digest, OCTET_STREAM, _UNKNOWN_SIZE) for digest in layers)
    return tuple(_child(descriptor) for descriptor in descriptors(manifest))


def linked_children(manifest: Manifest) -> tuple[Child, ...]:
    """List those whose sizes are told: the catalog keeps them, and its sizes are relied on."""
    return tuple(child for child in children_of(manifest) if child.size != _UNKNOWN_SIZE)


def _child(descriptor: Descriptor) -> Child:
    platform = str(descriptor.platform or "")
    if _REFERENCE_TYPE in descriptor.annotations:
        platform = NO_PLATFORM
    return Child(
        descriptor.digest, descriptor.media_type, descriptor.size, platform, descriptor.inline
    )
