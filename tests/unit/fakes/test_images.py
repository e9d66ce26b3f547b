"""Images are the same every time, and what they claim to be."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile

from fakes.images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    artifact,
    blob,
    image,
    index,
    sha256,
)
from fakes.schema1 import SCHEMA1_SIGNED, signed_manifest


def test_same_seed_same_bytes() -> None:
    assert blob(4, "a") == bytes.fromhex("6a358259")
    assert blob(1000, "a") == blob(1000, "a")
    assert blob(1000, "a") != blob(1000, "b")
    assert blob(0) == b""
    assert image(3).manifest == image(3).manifest
    assert image(3).digest != image(4).digest


def test_large_blob_has_its_size() -> None:
    assert len(blob((64 << 20) + 7)) == (64 << 20) + 7


def test_manifest_names_its_blobs() -> None:
    one = image("x", layers=(10, 20), platform="linux/arm64/v8", flavour="oci")
    manifest = json.loads(one.manifest)
    assert (one.media_type, manifest["mediaType"]) == (OCI_MANIFEST, OCI_MANIFEST)
    named = [manifest["config"], *manifest["layers"]]
    assert [(part["digest"], part["size"]) for part in named] == [
        (str(sha256(data)), len(data)) for data in one.blobs
    ]
    assert json.loads(one.config)["variant"] == "v8"
    assert image("x").media_type == DOCKER_MANIFEST


def test_rootfs_is_a_layer_that_unpacks() -> None:
    one = image(rootfs={"/usr/bin/pause": (0o755, b"#!"), "etc/os-release": (0o644, b"ID=x")})
    (layer,) = one.layers
    tar = gzip.decompress(layer)
    assert json.loads(one.config)["rootfs"]["diff_ids"] == [str(sha256(tar))]
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        assert archive.getnames() == ["etc", "usr", "usr/bin", "etc/os-release", "usr/bin/pause"]
        member = archive.getmember("usr/bin/pause")
        assert (member.mode, member.uid, member.mtime) == (0o755, 0, 0)
    assert len(image(rootfs={"a": (0o644, b"")}, layers=(50,)).layers) == 2


def test_index_names_its_images() -> None:
    both = index([image(1), image(1, platform="linux/arm64")])
    assert both.media_type == DOCKER_LIST
    listed = json.loads(both.manifest)["manifests"]
    assert [one["platform"]["architecture"] for one in listed] == ["amd64", "arm64"]
    assert [one["digest"] for one in listed] == [str(one.digest) for one in both.images]
    assert index([], flavour="oci").media_type == OCI_INDEX


def test_artifact_names_its_subject() -> None:
    about = image(1)
    manifest = json.loads(artifact(subject=about, payload=b"sbom").manifest)
    assert manifest["subject"]["digest"] == str(about.digest)
    assert manifest["config"]["mediaType"] == OCI_EMPTY
    assert manifest["artifactType"] == "application/vnd.example.sbom.v1"


def test_signed_manifest_gives_its_payload_back() -> None:
    signed = signed_manifest("library/old", "1", layers=(b"base", b"top"))
    body = json.loads(signed.manifest)
    assert signed.media_type == SCHEMA1_SIGNED
    assert [layer["blobSum"] for layer in body["fsLayers"]] == [
        str(sha256(b"top")),
        str(sha256(b"base")),
    ]
    encoded = body["signatures"][0]["protected"]
    protected = json.loads(_unpadded(encoded))
    head = signed.manifest[: protected["formatLength"]]
    payload = head + _unpadded(protected["formatTail"])
    assert payload == signed.payload
    assert hashlib.sha256(payload).hexdigest() == signed.digest.hex
    assert "signatures" not in json.loads(payload)


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
