"""An image as a file carries it: what is there of it, proved where that costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from entrepot.archive.contents import Contents
from entrepot.errors import ArchiveInvalid
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, descriptors, read_manifest
from entrepot.oci.mediatype import is_foreign, is_index, is_manifest, is_schema1

_DEPTH = 4
_PLAIN_LAYERS = (
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.oci.image.layer.v1.tar",
)


@dataclass(frozen=True, slots=True)
class Part:
    """A blob of an image; `member` is the file that should be it, which nothing has proved yet."""

    digest: Digest
    size: int
    member: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """Something of an image that the file has not got; `platform` is "" where nothing tells it."""

    digest: Digest
    platform: str = ""

    def __str__(self) -> str:
        return f"{self.digest} of {self.platform}" if self.platform else str(self.digest)


@dataclass(frozen=True, slots=True)
class Carried:
    """One image and the names it has in the file, as they stand there.

    `manifests` are those of which all is there, `root` last. `lacking` tells why other platforms
    are left out. `rewritten`: the manifest is not the registry's but one that was written for this
    file, so that the digest is another than the registry has for the name.
    """

    names: tuple[str, ...]
    root: Manifest
    manifests: tuple[Manifest, ...]
    parts: tuple[Part, ...]
    lacking: tuple[Lacking, ...] = ()
    rewritten: bool = False

    @property
    def size(self) -> int:
        """Bytes of its blobs."""
        return sum(part.size for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Tree:
    """What is there below one manifest; it is whole when `manifests` has something in it."""

    manifests: tuple[Manifest, ...] = ()
    parts: tuple[Part, ...] = ()
    lacking: tuple[Lacking, ...] = ()


def blob_member(digest: Digest) -> str:
    """Name the file of a blob in an OCI layout."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def carry(contents: Contents, root: Descriptor, names: Iterable[str]) -> Carried:
    """Gather an image of an OCI layout; ArchiveInvalid when no platform of it is whole."""
    tree = _gather(contents, root, _DEPTH)
    if not tree.manifests:
        missing = ", ".join(map(str, tree.lacking[:5]))
        raise ArchiveInvalid(f"the image {root.digest} is not complete in it: it lacks {missing}")
    return Carried(
        names=tuple(dict.fromkeys(names)),
        root=tree.manifests[-1],
        manifests=tuple(dict.fromkeys(tree.manifests)),
        parts=tuple({part.digest: part for part in tree.parts}.values()),
        lacking=tuple(dict.fromkeys(tree.lacking)),
        rewritten=has_plain_layers(tree.manifests),
    )


def has_plain_layers(manifests: Sequence[Manifest]) -> bool:
    """Whether layers are not compressed: no registry has them so, but docker save writes them."""
    listed = (each for manifest in manifests for each in descriptors(manifest))
    return any(each.media_type in _PLAIN_LAYERS for each in listed)


def read_blob(contents: Contents, wanted: Descriptor) -> Manifest | None:
    """Read a manifest and prove it; None when it is not there, ArchiveInvalid when it is wrong."""
    member = blob_member(wanted.digest)
    if member not in contents:
        return None
    try:
        return read_manifest(contents.read(member), wanted.media_type, expected=wanted.digest)
    except ValueError as error:
        raise ArchiveInvalid(f"{member}: {error}") from error


def _gather(contents: Contents, node: Descriptor, depth: int) -> _Tree:
    platform = str(node.platform or "")
    manifest = read_blob(contents, node)
    if manifest is None or not depth:
        return _Tree(lacking=(Lacking(node.digest, platform),))
    if is_schema1(manifest.media_type):
        raise ArchiveInvalid(f"{node.digest} is a schema 1 manifest, which is not imported")
    children = descriptors(manifest)
    if is_index(manifest.media_type):
        trees = [_gather(contents, child, depth - 1) for child in children]
        below = _together(trees)
        whole = bool(below.manifests) or not children
        return _Tree((*below.manifests, manifest) if whole else (), below.parts, below.lacking)
    parts, lacking = [], []
    for child in children:
        if is_manifest(child.media_type):  # caches and artifacts may list manifests like layers
            raise ArchiveInvalid(f"{node.digest} lists a manifest among its layers")
        if child.inline or is_foreign(child.media_type):
            continue
        part = _part(contents, child)
        if part is None:
            lacking.append(Lacking(child.digest, platform))
        else:
            parts.append(part)
    if lacking:
        return _Tree(lacking=tuple(lacking))
    return _Tree((manifest,), tuple(parts))


def _together(trees: Sequence[_Tree]) -> _Tree:
    return _Tree(
        tuple(each for tree in trees for each in tree.manifests),
        tuple(each for tree in trees for each in tree.parts),
        tuple(each for tree in trees for each in tree.lacking),
    )


def _part(contents: Contents, wanted: Descriptor) -> Part | None:
    member = blob_member(wanted.digest)
    if member not in contents:
        return None
    size = contents.size(member)
    if size != wanted.size:
        raise ArchiveInvalid(
            f"{member} has {size} bytes, and should have {wanted.size} by its manifest"
        )
    return Part(wanted.digest, size, contents.real(member))
