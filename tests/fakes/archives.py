"""Archives of images, written here as the programs write them, and broken to order."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence

from fakes.images import Image, Index, sha256

Files = dict[str, bytes]
CONTAINERD_NAME = "io.containerd.image.name"
OCI_NAME = "org.opencontainers.image.ref.name"


def tar(files: Mapping[str, bytes], *, links: Mapping[str, str] | None = None) -> bytes:
    """A tar of files and symbolic links, in their order."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as made:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            made.addfile(entry)
    return stream.getvalue()


def blobs(*images: Image | Index) -> Files:
    """What an OCI layout has below blobs/, of all platforms."""
    found: Files = {}
    for one in images:
        parts = one.images if isinstance(one, Index) else (one,)
        data = [one.manifest, *(each for part in parts for each in (part.manifest, *part.blobs))]
        found |= {f"blobs/sha256/{sha256(each).hex}": each for each in data}
    return found


def layout(
    named: Sequence[tuple[Image | Index, Mapping[str, str]]],
    *,
    more: Mapping[str, bytes] | None = None,
) -> Files:
    """The files of an OCI layout; each image with the annotations of its entry in index.json."""
    listed = [
        {**image.descriptor(), "annotations": dict(notes)} if notes else image.descriptor()
        for image, notes in named
    ]
    files = blobs(*(image for image, _ in named))
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": listed}).encode()
    files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    return files | dict(more or {})


def ctr_export(name: str, image: Image | Index) -> Files:
    """As `ctr images export` writes it, but for its manifest.json."""
    notes = {CONTAINERD_NAME: name, OCI_NAME: name.rpartition(":")[2]}
    return layout([(image, notes)])


def docker_save(named: Sequence[tuple[Image, Sequence[str]]]) -> Files:
    """As docker before 25 writes it: layers unpacked, directories by ids of its own."""
    files: Files = {}
    entries = []
    for image, tags in named:
        members = []
        for number, layer in enumerate(image.layers):
            plain = gzip.decompress(layer) if layer.startswith(b"\x1f\x8b") else layer
            member = f"{sha256(plain + bytes([number])).hex}/layer.tar"
            files[member] = plain
            members.append(member)
        config = f"{sha256(image.config).hex}.json"
        files[config] = image.config
        entries.append({"Config": config, "RepoTags": list(tags) or None, "Layers": members})
    files["manifest.json"] = json.dumps(entries).encode()
    return files


def saved_since_25(name: str, image: Image) -> Files:
    """As docker's classic store has written it since 25: an OCI layout over unpacked layers."""
    old = docker_save([(image, [name])])
    [entry] = json.loads(old["manifest.json"])
    layers = [old[member] for member in entry["Layers"]]
    config = image.config
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [
                _descriptor("application/vnd.oci.image.layer.v1.tar", one) for one in layers
            ],
        }
    ).encode()
    files = {f"blobs/sha256/{sha256(one).hex}": one for one in (manifest, config, *layers)}
    whole = f"docker.io/library/{name}"
    listed = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    listed["annotations"] = {CONTAINERD_NAME: whole, OCI_NAME: name.rpartition(":")[2]}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [listed]}).encode()
    files["manifest.json"] = json.dumps(
        [
            {
                "Config": f"blobs/sha256/{sha256(config).hex}",
                "RepoTags": [name],
                "Layers": [f"blobs/sha256/{sha256(one).hex}" for one in layers],
            }
        ]
    ).encode()
    files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    return files


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": str(sha256(data)), "size": len(data)}
