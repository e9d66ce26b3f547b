"""A manifest is told from a config and from any other JSON by its bytes."""

from __future__ import annotations

import json

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_INDEX, OCI_MANIFEST, SCHEMA1_SIGNED
from entrepot.oci.recognition import recognise
from fakes.images import artifact, image, index
from fakes.schema1 import signed_manifest

IMAGE = image(1, flavour="oci")


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (image(1).manifest, image(1).media_type),
        (index([image(1)]).manifest, index([image(1)]).media_type),
        (IMAGE.manifest, OCI_MANIFEST),
        (artifact().manifest, OCI_MANIFEST),
        (b'{"schemaVersion": 2, "manifests": []}', OCI_INDEX),
        (b'{"schemaVersion": 2, "config": {"digest": "x"}, "layers": []}', OCI_MANIFEST),
        (b' {"mediaType": "%s"}' % OCI_INDEX.encode(), OCI_INDEX),
    ],
)
def test_manifests(body: bytes, media_type: str) -> None:
    found = recognise(Digest.of(body), body)
    assert found is not None
    assert (found.media_type, found.body) == (media_type, body)


@pytest.mark.parametrize(
    "body",
    [
        IMAGE.config,
        image(1).config,
        b"",
        b"{",
        b"{}",
        b"[]",
        b"\x1f\x8b{",
        b'{"schemaVersion": 2}',
        b'{"schemaVersion": 2, "config": {"Cmd": ["/pause"]}, "layers": []}',
        b'{"schemaVersion": 1, "name": "x"}',
        b'{"config": {"digest": "x"}, "layers": []}',
        json.dumps({"mediaType": "application/json", "layers": []}).encode(),
    ],
)
def test_other_things(body: bytes) -> None:
    assert recognise(Digest.of(body), body) is None


def test_a_signed_one_is_named_by_its_payload() -> None:
    signed = signed_manifest("library/pause", "1.0")
    found = recognise(signed.digest, signed.manifest)
    assert found is not None
    assert found.media_type == SCHEMA1_SIGNED


def test_another_digest() -> None:
    assert recognise(Digest.of(b"another"), IMAGE.manifest) is None
