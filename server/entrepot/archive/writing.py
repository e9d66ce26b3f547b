"""An OCI layout in a tar that ctr, docker, podman, skopeo and another Entrepot read.

`index.json` names each image by both annotations that are in use, and keeps its digest. A
`manifest.json` is there for docker before 25, which knows no indexes: it has one platform of each.
The same images make the same file, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from entrepot.archive.carried import blob_member
from entrepot.archive.contents import Pieces
from entrepot.archive.layout import CONTAINERD_NAME, INDEX, OCI_NAME, SAVED
from entrepot.errors import ArchiveInvalid
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, descriptors
from entrepot.oci.mediatype import OCI_INDEX, is_config, is_foreign

_BLOCK_BYTES = 512
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'

Fetch = Callable[[Digest], Pieces]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One image to write: `manifests` are the platforms' own, the first is the one for docker."""

    name: str
    root: Manifest
    manifests: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """A blob that goes into the file."""

    digest: Digest
    size: int


def contents_of(images: Sequence[Outgoing]) -> tuple[Content, ...]:
    """List the blobs to be written, each once: manifests first, as readers like them."""
    manifests = [each for image in images for each in (image.root, *image.manifests)]
    found = {each.digest: Content(each.digest, each.size) for each in manifests}
    for image in images:
        for manifest in image.manifests:
            for child in descriptors(manifest):
                if not (child.inline or is_foreign(child.media_type)):
                    found.setdefault(child.digest, Content(child.digest, child.size))
    return tuple(found.values())


def write_layout(path: Path, images: Sequence[Outgoing], fetch: Fetch) -> int:
    """Write the file, all of it or nothing; its size. ArchiveInvalid for bytes that are wrong.

    `fetch` gives the bytes of a blob; whatever it raises ends the writing.
    """
    with _whole(path) as file:
        _document(file, "oci-layout", _LAYOUT)
        _document(file, INDEX, _index(images))
        _document(file, SAVED, _saved(images))
        for content in contents_of(images):
            _blob(file, content, fetch(content.digest))
        file.write(bytes(2 * _BLOCK_BYTES))
        return file.tell()


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file that gets its name when everything went well, and else is removed."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, 0o644), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _document(file: BinaryIO, name: str, data: bytes) -> None:
    file.write(_header(name, len(data)))
    file.write(data)
    file.write(bytes(-len(data) % _BLOCK_BYTES))


def _blob(file: BinaryIO, content: Content, pieces: Pieces) -> None:
    file.write(_header(blob_member(content.digest), content.size))
    hasher, size = hashlib.new(content.digest.algorithm), 0
    for piece in pieces:
        hasher.update(piece)
        size += len(piece)
        if size > content.size:
            break
        file.write(piece)
    if (size, hasher.hexdigest()) != (content.size, content.digest.hex):
        raise ArchiveInvalid(f"{content.digest} is not what it should be: `entrepot verify` it")
    file.write(bytes(-size % _BLOCK_BYTES))


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o444
    return entry.tobuf(tarfile.GNU_FORMAT)


def _index(images: Iterable[Outgoing]) -> bytes:
    listed = [
        {
            "mediaType": image.root.media_type,
            "digest": str(image.root.digest),
            "size": image.root.size,
            "annotations": {CONTAINERD_NAME: image.name, OCI_NAME: image.name},
        }
        for image in images
    ]
    return _json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed})


def _saved(images: Iterable[Outgoing]) -> bytes:
    """Write docker's list; what is no image that docker could run is not in it."""
    entries: dict[Digest, dict[str, object]] = {}
    for image in images:
        for manifest in image.manifests[:1]:
            listed = descriptors(manifest)
            if not listed or not is_config(listed[0].media_type):
                continue
            entry = entries.setdefault(
                manifest.digest,
                {
                    "Config": blob_member(listed[0].digest),
                    "RepoTags": [],
                    "Layers": [blob_member(layer.digest) for layer in listed[1:]],
                },
            )
            tags = entry["RepoTags"]
            assert isinstance(tags, list)
            if "@" not in image.name:
                tags.append(image.name)
    return _json(list(entries.values()))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
