"""What `docker save` wrote before version 25, podman's docker-archive and k3s' airgap images.

There is no manifest of a registry in it: one is written here, always the same for the same file.
Its digest is another than the registry's, because the layers are not compressed any more.
"""

from __future__ import annotations

import json

from entrepot.archive.carried import Carried, Part
from entrepot.archive.contents import Contents
from entrepot.archive.layout import SAVED, repo_tags
from entrepot.archive.packing import Packing, packed_as
from entrepot.errors import ArchiveInvalid, DigestInvalid
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import OCI_CONFIG, OCI_MANIFEST, read_document

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_SUFFIXES = {Packing.PLAIN: "", Packing.GZIP: "+gzip", Packing.ZSTD: "+zstd"}
_MOST_LAYERS = 1000


def read_saved(contents: Contents) -> tuple[Carried, ...]:
    """Tell the images that manifest.json lists; ArchiveInvalid."""
    try:
        entries: object = json.loads(contents.read(SAVED))
    except (ValueError, RecursionError) as error:
        raise ArchiveInvalid(f"{SAVED} is no JSON: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise ArchiveInvalid(f"{SAVED} lists no image")
    images: dict[Digest, Carried] = {}
    for entry in entries:
        image = _image(contents, entry)
        known = images.get(image.root.digest)
        if known is not None:
            names = tuple(dict.fromkeys((*known.names, *image.names)))
            image = Carried(names, known.root, known.manifests, known.parts, rewritten=True)
        images[image.root.digest] = image
    return tuple(images.values())


def _image(contents: Contents, entry: object) -> Carried:
    if not isinstance(entry, dict):
        raise ArchiveInvalid(f"{SAVED} cannot be understood")
    named, layers = entry.get("Config"), entry.get("Layers")
    if not isinstance(named, str) or not isinstance(layers, list) or len(layers) > _MOST_LAYERS:
        raise ArchiveInvalid(f"{SAVED} cannot be understood: no Config, or no Layers")
    config = contents.read(named)
    diff_ids = _diff_ids(named, config)
    if len(diff_ids) != len(layers):
        raise ArchiveInvalid(
            f"{SAVED} lists {len(layers)} layers, and {named[:100]!r} knows {len(diff_ids)}"
        )
    parts, told = [], []
    for layer, diff_id in zip(layers, diff_ids, strict=True):
        if not isinstance(layer, str):
            raise ArchiveInvalid(f"{SAVED} cannot be understood: {str(layer)[:100]!r}")
        part, packing = _layer(contents, layer, diff_id)
        parts.append(part)
        told.append(_descriptor(_LAYER + _SUFFIXES[packing], part.digest, part.size))
    own = Part(Digest.of(config), len(config), contents.real(named))
    body = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _descriptor(OCI_CONFIG, own.digest, own.size),
            "layers": told,
        },
        separators=(",", ":"),
    ).encode()
    root = Manifest(Digest.of(body), OCI_MANIFEST, body)
    distinct = tuple({part.digest: part for part in (own, *parts)}.values())
    return Carried(repo_tags(entry), root, (root,), distinct, rewritten=True)


def _diff_ids(name: str, config: bytes) -> list[Digest]:
    """Read from the config what the layers hash to when they are not compressed."""
    try:
        rootfs = read_document(config).get("rootfs")
        listed = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        return [Digest.parse(str(each)) for each in listed or ()]
    except (ValueError, DigestInvalid) as error:
        raise ArchiveInvalid(f"{name[:100]!r} is no config of an image: {error}") from error


def _layer(contents: Contents, name: str, diff_id: Digest) -> tuple[Part, Packing]:
    size = contents.size(name)
    packing = packed_as(contents.head(name))
    digest = diff_id
    if packing is not Packing.PLAIN:
        digest = Digest("sha256", contents.digest(name))
    return Part(digest, size, contents.real(name)), packing


def _descriptor(media_type: str, digest: Digest, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "digest": str(digest), "size": size}
