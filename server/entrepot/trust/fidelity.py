"""How a mirror's copy of an image differs from the owner's, told by comparing the two."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from enum import StrEnum

from entrepot.errors import DigestInvalid
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, descriptors
from entrepot.oci.mediatype import is_index, is_schema1, read_document
from entrepot.trust.repair import repair, repair_child

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_PIECE_BYTES = 1 << 20
_MOST_BYTES = 1 << 30
"""What is longer is not unpacked to its end."""


class Fidelity(StrEnum):
    """The classes that were seen among public mirrors, the most faithful first."""

    VERBATIM = "verbatim"
    SINGLE_ARCH = "single architecture"
    RESERIALISED = "re-serialised"
    RECOMPRESSED = "re-compressed"
    OTHER = "other"

    @property
    def explanation(self) -> str:
        """Say to a person what such a copy is, and what it is good for."""
        return _EXPLANATIONS[self]

    @property
    def provable(self) -> bool:
        """Whether the owner's bytes can be had of such a copy; re-serialised ones nearly always."""
        return self in (Fidelity.VERBATIM, Fidelity.SINGLE_ARCH, Fidelity.RESERIALISED)


_EXPLANATIONS = {
    Fidelity.VERBATIM: (
        "The owner's bytes. Pulls by tag and by digest work, for every architecture."
    ),
    Fidelity.SINGLE_ARCH: (
        "One of the owner's manifests stands where the index should be. The bytes are the owner's,"
        " but only machines of that architecture can use them; the others need another mirror."
    ),
    Fidelity.RESERIALISED: (
        "The owner's manifest, written anew: the same image under another digest. Entrepot writes"
        " it as the owner did where the digest is known, and serves that. Without a pin or an"
        " index that names the digest, pulls by digest need another mirror."
    ),
    Fidelity.RECOMPRESSED: (
        "The owner's configuration, with layers that were packed anew, as docker pull and docker"
        " push do: by what the manifest says, and by a layer unpacked where one was read whole. The"
        " owner's digest cannot be had from here, and is never claimed: such a copy is served"
        " under its own digest, by tag, where the policy lets it."
    ),
    Fidelity.OTHER: (
        "Something else: built anew, another version, or not the same image at all. A tag that is"
        " pinned is never served from it."
    ),
}


def compare(official: Manifest, received: Manifest, config: bytes = b"") -> Fidelity:
    """Tell what `received` is, beside what the owner has under the same name.

    `config` is the configuration blob of `official`; without it layers packed anew are not told
    from others. RECOMPRESSED is what the manifests claim; `unpacked` proves it for a layer.
    May write `received` in hundreds of ways: call it in a thread.
    """
    if received.digest == official.digest:
        return Fidelity.VERBATIM
    if is_index(official.media_type) and not is_index(received.media_type):
        found = repair_child(official, received)
        return Fidelity.SINGLE_ARCH if found is not None else Fidelity.OTHER
    if is_index(official.media_type) != is_index(received.media_type):
        return Fidelity.OTHER
    contents = _contents(official)
    alike = contents is not None and contents == _contents(received)
    if alike or repair(received.body, {official.digest}):
        return Fidelity.RESERIALISED
    return _packed_anew(official, received, config)


def diff_ids(config: bytes) -> tuple[Digest, ...]:
    """Read the digests of the unpacked layers out of an image's configuration, in their order.

    Image-spec, config.md: `rootfs.diff_ids`. Nothing where it is not one.
    """
    try:
        rootfs = read_document(config).get("rootfs")
        found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        texts = found if isinstance(found, list) else []
        return tuple(Digest.parse(text if isinstance(text, str) else "") for text in texts)
    except (ValueError, DigestInvalid):
        return ()


def unpacked(layer: bytes) -> Digest | None:
    """Digest of what a layer unpacks to; None where it is packed in a way that is not read here.

    Of a plain tar that is its own digest. It takes as long as unpacking does: call it in a thread.
    """
    if layer.startswith(_ZSTD):
        return None
    if not layer.startswith(_GZIP):
        return Digest.of(layer)
    hasher = hashlib.sha256()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(layer)) as file:
            while piece := file.read(_PIECE_BYTES):
                hasher.update(piece)
                if file.tell() > _MOST_BYTES:
                    return None
    except (OSError, EOFError, zlib.error):
        return None
    return Digest("sha256", hasher.hexdigest())


def _contents(manifest: Manifest) -> tuple[Digest, ...] | None:
    """List what a manifest points at; None for one that says too little to be compared by it."""
    found = tuple(entry.digest for entry in descriptors(manifest))
    if is_index(manifest.media_type):
        found = tuple(sorted(found))
    return found if found and not is_schema1(manifest.media_type) else None


def _packed_anew(official: Manifest, received: Manifest, config: bytes) -> Fidelity:
    ours, theirs = descriptors(official), descriptors(received)
    if is_index(official.media_type) or not ours or len(ours) != len(theirs):
        return Fidelity.OTHER
    same_config = ours[0].digest == theirs[0].digest and ours[0].digest.matches(config)
    all_named = len(diff_ids(config)) == len(theirs) - 1
    return Fidelity.RECOMPRESSED if same_config and all_named else Fidelity.OTHER
