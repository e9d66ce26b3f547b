"""What a manifest points at, for the catalog and for completeness."""

from __future__ import annotations

import base64
import json

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, read_manifest
from entrepot.oci.mediatype import OCI_EMPTY, OCI_MANIFEST, SCHEMA1_SIGNED
from entrepot.store.children import NO_PLATFORM, children_of, linked_children
from fakes.images import image, index
from fakes.schema1 import signed_manifest

EMPTY = Digest.of(b"{}")


def made(document: dict[str, object]) -> Manifest:
    return read_manifest(json.dumps(document).encode(), OCI_MANIFEST)


def described(**more: object) -> dict[str, object]:
    return {"mediaType": OCI_EMPTY, "digest": str(EMPTY), "size": 2, **more}


@pytest.mark.rule("F-5")
def test_an_annotated_attestation_has_no_platform_whatever_its_index_says() -> None:
    plain = image("a", platform="linux/arm64/v8")
    attestation = image("b", annotations={"vnd.docker.reference.type": "attestation-manifest"})
    listed = index([plain, attestation])
    children = children_of(read_manifest(listed.manifest, listed.media_type))
    assert [child.platform for child in children] == ["linux/arm64/v8", NO_PLATFORM]


@pytest.mark.rule("F-7")
@pytest.mark.parametrize(
    ("data", "inline"),
    [
        (base64.b64encode(b"{}").decode(), True),
        (base64.b64encode(b"[]").decode(), False),
        (base64.b64encode(b"{} ").decode(), False),
        ("not base64!", False),
        ("", False),
        (7, False),
        ("A" * 100_000, False),
    ],
    ids=["right", "other bytes", "longer", "nonsense", "empty", "no text", "huge"],
)
def test_content_in_the_manifest_counts_only_when_it_is_right(data: object, inline: bool) -> None:
    (child,) = children_of(made({"config": described(data=data), "layers": []}))
    assert (child.digest, child.inline) == (EMPTY, inline)


@pytest.mark.rule("F-3")
def test_layers_of_schema_1_have_no_size_and_no_link() -> None:
    signed = signed_manifest("pause", "3.1")
    manifest = read_manifest(signed.manifest, SCHEMA1_SIGNED)
    children = children_of(manifest)
    assert children
    assert {child.size for child in children} == {-1}
    assert linked_children(manifest) == ()
    assert linked_children(made({"config": described(), "layers": []})) != ()


def test_nonsense_has_no_children() -> None:
    assert children_of(Manifest(EMPTY, SCHEMA1_SIGNED, b"<html>")) == ()
    assert children_of(Manifest(EMPTY, SCHEMA1_SIGNED, b'{"fsLayers": [1, {"blobSum": 2}]}')) == ()
    assert children_of(Manifest(EMPTY, OCI_MANIFEST, b"<html>")) == ()
