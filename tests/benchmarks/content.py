"""What the origin serves: one small image and blobs of any size, written as a static tree."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = "bench/image"
TAG = "v1"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob on disk; `path` is the file its bytes are in."""

    digest: str
    size: int
    path: Path

    @property
    def target(self) -> str:
        """The request target, without a query."""
        return f"/v2/{REPOSITORY}/blobs/{self.digest}"


@dataclass(frozen=True, slots=True)
class Content:
    """A tree laid out as `/v2/...` so that a static file server is a registry."""

    root: Path
    manifest: bytes
    blob: Blob

    @property
    def manifest_digest(self) -> str:
        """The digest of the manifest's exact bytes."""
        return f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"

    @property
    def tag_target(self) -> str:
        """The manifest by tag, without a query."""
        return f"/v2/{REPOSITORY}/manifests/{TAG}"

    @property
    def digest_target(self) -> str:
        """The manifest by digest, without a query."""
        return f"/v2/{REPOSITORY}/manifests/{self.manifest_digest}"


def _chunks(size: int, seed: int) -> Iterator[bytes]:
    """`size` bytes that neither compress nor repeat inside a mebibyte; the same for a seed."""
    noise = random.Random(seed).randbytes(_CHUNK_BYTES)
    for start in range(0, size, _CHUNK_BYTES):
        chunk = start.to_bytes(8, "big") + noise[8:]
        yield chunk[: min(_CHUNK_BYTES, size - start)]


def _write_blob(directory: Path, size: int, seed: int) -> Blob:
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / "draft"
    hasher = hashlib.sha256()
    with draft.open("wb") as file:
        for chunk in _chunks(size, seed):
            hasher.update(chunk)
            file.write(chunk)
    digest = f"sha256:{hasher.hexdigest()}"
    return Blob(digest=digest, size=size, path=draft.rename(directory / digest))


def write_content(root: Path, *, size: int, seed: int) -> Content:
    """Write one image with a single layer of `size` bytes; blocks, so run it before measuring."""
    repository = root / "v2" / REPOSITORY
    layer = _write_blob(repository / "blobs", size, seed)
    config = json.dumps({"architecture": "amd64", "os": "linux", "seed": seed}).encode()
    config_digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    (repository / "blobs" / config_digest).write_bytes(config)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": config_digest, "size": len(config)},
            "layers": [{"mediaType": LAYER_TYPE, "digest": layer.digest, "size": size}],
        }
    ).encode()
    content = Content(root=root, manifest=manifest, blob=layer)
    manifests = repository / "manifests"
    manifests.mkdir()
    (manifests / TAG).write_bytes(manifest)
    (manifests / content.manifest_digest).write_bytes(manifest)
    return content
