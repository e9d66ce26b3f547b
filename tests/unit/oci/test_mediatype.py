"""The type of a manifest is found in its bytes before its header."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci import mediatype
from entrepot.oci.mediatype import (
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_ARTIFACT,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1,
    SCHEMA1_SIGNED,
    bare,
    is_config,
    is_foreign,
    is_index,
    is_manifest,
    manifest_type,
)

EVERY = {
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_ARTIFACT,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1,
    SCHEMA1_SIGNED,
}


def of(document: object, content_type: str | None = None) -> str:
    return manifest_type(json.dumps(document).encode(), content_type)


@pytest.mark.rule("U-1", "F-2")
def test_accept_lists_every_type_with_schema1_last_and_no_wildcard() -> None:
    listed = mediatype.ACCEPT.split(", ")
    assert set(listed) == EVERY
    assert set(listed[-2:]) == {SCHEMA1, SCHEMA1_SIGNED}
    assert "*" not in mediatype.ACCEPT


@pytest.mark.rule("C-14", "G-2")
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, ""),
        ("", ""),
        ("Application/JSON ; charset=utf-8", "application/json"),
        (OCI_INDEX, OCI_INDEX),
    ],
)
def test_bare_cuts_parameters(header: str | None, expected: str) -> None:
    assert bare(header) == expected


def test_indexes_are_manifests_and_blobs_are_not() -> None:
    assert {known for known in EVERY if is_index(known)} == {DOCKER_LIST, OCI_INDEX}
    assert all(is_manifest(known) for known in EVERY)
    assert not is_manifest(mediatype.OCTET_STREAM)
    assert not is_manifest(mediatype.OCI_EMPTY)


@pytest.mark.rule("F-2", "C-14")
@pytest.mark.parametrize("header", [None, "text/plain", OCI_INDEX, "application/json; charset=x"])
def test_the_type_written_inside_wins(header: str | None) -> None:
    assert of({"mediaType": DOCKER_MANIFEST, "config": {}}, header) == DOCKER_MANIFEST


@pytest.mark.rule("F-2", "C-14")
@pytest.mark.parametrize(
    ("document", "header", "expected"),
    [
        ({"manifests": []}, None, OCI_INDEX),
        ({"manifests": []}, f"{DOCKER_LIST}; charset=utf-8", DOCKER_LIST),
        ({"manifests": []}, OCI_MANIFEST, OCI_INDEX),
        ({"config": {}}, "application/octet-stream", OCI_MANIFEST),
        ({"layers": []}, DOCKER_MANIFEST, DOCKER_MANIFEST),
        ({"layers": []}, DOCKER_LIST, OCI_MANIFEST),
        ({"fsLayers": []}, "text/plain", SCHEMA1),
        ({"fsLayers": [], "signatures": []}, OCI_MANIFEST, SCHEMA1_SIGNED),
        ({"fsLayers": []}, SCHEMA1_SIGNED, SCHEMA1),
        ({"mediaType": "application/vnd.new+json"}, None, "application/vnd.new+json"),
        ({"mediaType": 7, "layers": []}, None, OCI_MANIFEST),
        ({"mediaType": "a/b\r\nX-Evil: 1", "layers": []}, None, OCI_MANIFEST),
    ],
)
def test_the_ladder(document: object, header: str | None, expected: str) -> None:
    assert of(document, header) == expected


@pytest.mark.rule("F-2")
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b" <!DOCTYPE html><title>Log in</title>", "HTML"),
        (b"[]", "no object"),
        (b"{}", "nothing in it"),
        (b'{"errors":[{"code":"DENIED"}]}', "nothing in it"),
        (b"\xff\xfe{\x00}\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_what_is_no_manifest_is_refused_whatever_the_header_says(body: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        manifest_type(body, OCI_MANIFEST)


@given(st.binary(), st.none() | st.text())
def test_any_bytes_have_a_type_or_are_refused(body: bytes, header: str | None) -> None:
    try:
        found = manifest_type(body, header)
    except ValueError:
        return
    assert "/" in found


@pytest.mark.rule("F-6")
def test_foreign_layers_and_configs_are_known_by_their_type() -> None:
    docker, oci = "application/vnd.docker.image.rootfs.", "application/vnd.oci.image.layer."
    assert is_foreign(f"{docker}foreign.diff.tar.gzip")
    assert is_foreign(f"{oci}nondistributable.v1.tar+zstd")
    assert not is_foreign(f"{docker}diff.tar.gzip")
    assert not is_foreign(f"{oci}v1.tar+gzip")
    assert is_config(OCI_CONFIG)
    assert is_config(DOCKER_CONFIG)
    assert not is_config(OCI_EMPTY)
