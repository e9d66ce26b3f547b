"""Deterministic images: the same seed gives the same bytes, and so the same digests, everywhere.

`image(layers=…)` makes layers of noise (any size, quick, not unpackable); `rootfs=` puts a real
gzip-compressed tar first, so that containerd and podman can unpack and run what they pulled.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from entrepot.oci.digest import Digest

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"

Flavour = Literal["docker", "oci"]

_PIECE_BYTES = 64 << 20


def blob(size: int, seed: int | str = 0) -> bytes:
    """`size` bytes of noise, always the same for one seed."""
    source = random.Random(f"blob {seed}")
    if size <= _PIECE_BYTES:
        return source.randbytes(size)
    pieces = [source.randbytes(_PIECE_BYTES) for _ in range(size // _PIECE_BYTES)]
    return b"".join([*pieces, source.randbytes(size % _PIECE_BYTES)])


def sha256(data: bytes) -> Digest:
    """The digest of `data`, worked out here and not by the code under test."""
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def to_json(value: object) -> bytes:
    """JSON the way registries' own tools indent it: three spaces, no newline at the end."""
    return json.dumps(value, indent=3).encode()


@dataclass(frozen=True, slots=True)
class Image:
    """One platform's image, or an artifact: a manifest and the blobs it names."""

    media_type: str
    manifest: bytes
    config: bytes
    layers: tuple[bytes, ...]
    platform: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> Digest:
        return sha256(self.manifest)

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """The config and the layers, in the manifest's order."""
        return (self.config, *self.layers)

    def descriptor(self) -> dict[str, object]:
        """How an index, or a `subject`, names this image."""
        described: dict[str, object] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": len(self.manifest),
        }
        if self.platform:
            described["platform"] = platform_object(self.platform)
        return described


@dataclass(frozen=True, slots=True)
class Index:
    """Several images under one digest; an OCI index or a docker manifest list."""

    media_type: str
    manifest: bytes
    images: tuple[Image, ...]

    @property
    def digest(self) -> Digest:
        return sha256(self.manifest)

    def descriptor(self) -> dict[str, object]:
        """How a `subject` names this index."""
        return {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": len(self.manifest),
        }


@dataclass(frozen=True, slots=True)
class SignedManifest:
    """A docker schema 1 manifest; `digest` is over `payload`, not over `manifest` (F-3)."""

    media_type: str
    manifest: bytes
    payload: bytes

    @property
    def digest(self) -> Digest:
        return sha256(self.payload)


def platform_object(platform: str) -> dict[str, str]:
    """ "linux/arm64/v8" the way descriptors and configs spell it."""
    system, architecture, *variant = platform.split("/")
    named = {"architecture": architecture, "os": system}
    return {**named, "variant": variant[0]} if variant else named


def layer_tar(rootfs: Mapping[str, tuple[int, bytes]]) -> bytes:
    """An uncompressed layer: path -> (mode, content), and the parents; root's, from 1970."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for parent in _parents(rootfs):
            entry = tarfile.TarInfo(parent)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for path, (mode, content) in sorted((p.strip("/"), rootfs[p]) for p in rootfs):
            entry = tarfile.TarInfo(path)
            entry.mode, entry.size = mode, len(content)
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def _parents(rootfs: Mapping[str, tuple[int, bytes]]) -> list[str]:
    found: set[str] = set()
    for path in rootfs:
        steps = path.strip("/").split("/")[:-1]
        found |= {"/".join(steps[: depth + 1]) for depth in range(len(steps))}
    return sorted(found)


def image(
    seed: int | str = 0,
    *,
    layers: Sequence[int] = (1000,),
    platform: str = "linux/amd64",
    flavour: Flavour = "docker",
    rootfs: Mapping[str, tuple[int, bytes]] | None = None,
    entrypoint: Sequence[str] = ("/pause",),
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """An image with one layer of noise per size in `layers`, after the `rootfs` layer if given.

    With a `rootfs` and layers unsaid there is the one real layer only.
    """
    packed: list[tuple[bytes, Digest]] = []
    if rootfs is not None:
        tar = layer_tar(rootfs)
        packed.append((gzip.compress(tar, mtime=0), sha256(tar)))
        layers = () if tuple(layers) == (1000,) else layers
    for number, size in enumerate(layers):
        noise = blob(size, f"{seed} {platform} layer {number}")
        packed.append((noise, sha256(noise)))
    config = to_json(
        {
            **platform_object(platform),
            "config": {"Entrypoint": list(entrypoint), "Labels": {"seed": str(seed)}},
            "rootfs": {"type": "layers", "diff_ids": [str(diff) for _, diff in packed]},
            "history": [{"created_by": f"layer {number}"} for number, _ in enumerate(packed)],
        }
    )
    oci = flavour == "oci"
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST if oci else DOCKER_MANIFEST,
        "config": _descriptor(OCI_CONFIG if oci else DOCKER_CONFIG, config),
        "layers": [_descriptor(OCI_LAYER if oci else DOCKER_LAYER, data) for data, _ in packed],
    }
    if annotations:
        manifest["annotations"] = dict(annotations)
    return Image(
        media_type=OCI_MANIFEST if oci else DOCKER_MANIFEST,
        manifest=to_json(manifest),
        config=config,
        layers=tuple(data for data, _ in packed),
        platform=platform,
        annotations=annotations or {},
    )


def index(images: Sequence[Image], *, flavour: Flavour = "docker") -> Index:
    """An index over `images`, in their order."""
    media_type = OCI_INDEX if flavour == "oci" else DOCKER_LIST
    body = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [
            {**one.descriptor(), **({"annotations": one.annotations} if one.annotations else {})}
            for one in images
        ],
    }
    return Index(media_type, to_json(body), tuple(images))


def artifact(
    *,
    subject: Image | Index | None = None,
    artifact_type: str = "application/vnd.example.sbom.v1",
    payload: bytes = b"{}",
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """An OCI artifact: empty config, one payload, and what it is about, if anything."""
    manifest: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": _descriptor(OCI_EMPTY, b"{}"),
        "layers": [_descriptor(artifact_type, payload)],
    }
    if subject is not None:
        about = subject.descriptor()
        about.pop("platform", None)
        manifest["subject"] = about
    if annotations:
        manifest["annotations"] = dict(annotations)
    return Image(OCI_MANIFEST, to_json(manifest), b"{}", (payload,), "", annotations or {})


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "size": len(data), "digest": str(sha256(data))}
