"""A manifest is its exact bytes; the digest of them is checked before anything is believed."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.oci.descriptor import Platform
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, descriptors, read_manifest
from entrepot.oci.mediatype import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1_SIGNED,
)

DATA = Path(__file__).parents[2] / "data"
INDEX = (DATA / "pause-3.1.index.json").read_bytes()
AMD64 = (DATA / "pause-3.1-amd64.manifest.json").read_bytes()
INDEX_DIGEST = Digest.parse(
    "sha256:f78411e19d84a252e53bff71a4407a5686c46983a2c2eeed83929b888179acea"
)
AMD64_DIGEST = Digest.parse(
    "sha256:59eec8837a4d942cc19a52b8c09ea75121acc38114a2c68b98983ce9356b8610"
)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def sign(payload: bytes, *, extra: bytes = b"", times: int = 1) -> bytes:
    """Put signatures before the payload's last brace, in the way docker did."""
    head, tail = payload[:-2], payload[-2:]
    protected = b64(json.dumps({"formatLength": len(head), "formatTail": b64(tail)}).encode())
    signatures = json.dumps([{"signature": "x", "protected": protected}] * times).encode()
    return head + extra + b',\n "signatures": ' + signatures + tail


SCHEMA1_PAYLOAD = b'{\n "schemaVersion": 1,\n "name": "pause",\n "fsLayers": []\n}'


@pytest.mark.rule("F-1", "F-4")
@pytest.mark.parametrize(
    ("body", "digest", "media_type"),
    [(INDEX, INDEX_DIGEST, DOCKER_LIST), (AMD64, AMD64_DIGEST, DOCKER_MANIFEST)],
    ids=["index", "amd64"],
)
def test_real_manifests_keep_their_bytes_digest_and_type(
    body: bytes, digest: Digest, media_type: str
) -> None:
    manifest = read_manifest(body, "text/plain", expected=digest, claimed=str(digest))
    assert manifest == Manifest(digest, media_type, body)
    assert manifest.size == len(body)
    assert read_manifest(body, None) == manifest


@pytest.mark.rule("F-1")
def test_one_changed_byte_is_not_what_was_expected() -> None:
    with pytest.raises(ValueError, match=f"not {AMD64_DIGEST}"):
        read_manifest(AMD64 + b"\n", DOCKER_MANIFEST, expected=AMD64_DIGEST)


@pytest.mark.rule("U-13")
def test_a_claim_that_the_bytes_contradict_is_refused() -> None:
    with pytest.raises(ValueError, match="the header says"):
        read_manifest(AMD64, DOCKER_MANIFEST, claimed=str(INDEX_DIGEST))


@pytest.mark.rule("U-13")
@pytest.mark.parametrize("claimed", [None, "", "sha256:short", "md5:1", str(AMD64_DIGEST).upper()])
def test_a_malformed_claim_is_no_claim(claimed: str | None) -> None:
    assert read_manifest(AMD64, None, claimed=claimed).digest == AMD64_DIGEST


@pytest.mark.rule("F-8")
def test_a_sha512_reference_is_proved_with_sha512() -> None:
    name = Digest("sha512", "0" * 128)
    with pytest.raises(ValueError, match="not sha512"):
        read_manifest(AMD64, None, expected=name)
    hasher = name.hasher()
    hasher.update(AMD64)
    right = Digest("sha512", hasher.hexdigest())
    assert read_manifest(AMD64, None, expected=right, claimed=str(AMD64_DIGEST)).digest == right


@pytest.mark.rule("F-3")
@pytest.mark.parametrize("times", [1, 2])
def test_signed_schema1_is_named_by_its_payload(times: int) -> None:
    body = sign(SCHEMA1_PAYLOAD, times=times)
    digest = Digest.of(SCHEMA1_PAYLOAD)
    manifest = read_manifest(body, SCHEMA1_SIGNED, expected=digest, claimed=str(digest))
    assert manifest == Manifest(digest, SCHEMA1_SIGNED, body)


@pytest.mark.rule("F-3", "U-13")
def test_schema1_may_be_claimed_under_the_digest_of_the_whole_body() -> None:
    body = sign(SCHEMA1_PAYLOAD)
    manifest = read_manifest(body, SCHEMA1_SIGNED, claimed=str(Digest.of(body)))
    assert manifest.digest == Digest.of(SCHEMA1_PAYLOAD)


@pytest.mark.rule("F-3")
def test_signatures_cannot_pass_one_manifest_off_as_another() -> None:
    """Else a mirror could add fsLayers and signatures to its own bytes and borrow a digest."""
    genuine = b'{\n "schemaVersion": 2,\n "layers": []\n}'
    forged = sign(genuine, extra=b',\n "fsLayers": []')
    with pytest.raises(ValueError, match="signatures over something else"):
        read_manifest(forged, SCHEMA1_SIGNED, expected=Digest.of(genuine))


@pytest.mark.rule("F-3")
@pytest.mark.parametrize(
    "signatures",
    [
        [],
        [7],
        [{}],
        [{"protected": 7}],
        [{"protected": "é"}],
        [{"protected": "A"}],
        [{"protected": b64(b"[]")}],
        [{"protected": b64(b'{"formatLength": -1, "formatTail": ""}')}],
        [{"protected": b64(b'{"formatLength": 9999, "formatTail": ""}')}],
        [{"protected": b64(b'{"formatLength": 1, "formatTail": ""}')}],
        [{"protected": b64(b'{"formatLength": %d, "formatTail": ""}' % n)} for n in (1, 2)],
    ],
)
def test_unreadable_signatures_are_refused(signatures: list[object]) -> None:
    body = json.dumps({"fsLayers": [], "signatures": signatures}).encode()
    with pytest.raises(ValueError, match="not a manifest"):
        read_manifest(body, SCHEMA1_SIGNED)


def test_descriptors_of_an_image_are_its_config_then_its_layers() -> None:
    found = descriptors(read_manifest(AMD64, None))
    assert [(entry.size, entry.digest.hex[:4]) for entry in found] == [
        (1609, "da86"),
        (313363, "67dd"),
    ]


@pytest.mark.rule("F-5")
def test_descriptors_of_an_index_carry_their_platforms() -> None:
    found = descriptors(read_manifest(INDEX, None))
    assert found[0].digest == AMD64_DIGEST
    assert [entry.platform for entry in found] == [
        Platform("linux", arch) for arch in ("amd64", "arm", "arm64", "ppc64le", "s390x")
    ]


@pytest.mark.rule("F-6", "F-7")
@pytest.mark.parametrize(
    "layer",
    [
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.empty.v1+json",
    ],
)
def test_descriptors_take_layers_of_any_type(layer: str) -> None:
    entry = {"mediaType": layer, "digest": str(AMD64_DIGEST), "size": 2, "urls": ["http://a/b"]}
    body = json.dumps({"config": entry, "layers": [entry]}).encode()
    assert [found.media_type for found in descriptors(read_manifest(body, None))] == [layer] * 2


@pytest.mark.rule("F-1", "F-5", "F-7")
def test_descriptors_leave_out_what_cannot_be_understood() -> None:
    good = {
        "mediaType": 7,
        "digest": str(AMD64_DIGEST),
        "size": 0,
        "annotations": {"a": 1, "b": "c"},
    }
    odd: list[object] = [
        None,
        [],
        {},
        good | {"size": "1"},
        good | {"size": True},
        good | {"size": -1},
        good | {"digest": "sha384:00"},
        good | {"digest": 5},
    ]
    document = {
        "config": "no",
        "layers": [*odd, good | {"platform": {"os": "linux"}}],
        "blobs": 9,
        "manifests": [good | {"platform": {"os": "l", "architecture": "a", "variant": 3}}],
        "subject": good,
    }
    found = descriptors(Manifest(AMD64_DIGEST, OCI_MANIFEST, json.dumps(document).encode()))
    assert [entry.platform for entry in found] == [Platform("l", "a"), None]
    assert found[0].annotations == {"b": "c"}
    assert found[0].media_type == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "mediaType",
                    "manifests",
                    "config",
                    "layers",
                    "blobs",
                    "fsLayers",
                    "signatures",
                    "digest",
                    "size",
                    "platform",
                    "annotations",
                    "protected",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


@pytest.mark.rule("F-1")
@settings(max_examples=40)
@given(JSON.map(lambda document: json.dumps(document).encode()) | st.binary())
def test_any_bytes_are_a_manifest_or_refused_and_never_break_the_reader(body: bytes) -> None:
    assert isinstance(descriptors(Manifest(AMD64_DIGEST, OCI_INDEX, body)), tuple)
    try:
        manifest = read_manifest(body, OCI_INDEX)
    except ValueError:
        return
    assert manifest.body == body
