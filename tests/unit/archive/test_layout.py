"""Names in OCI layouts, as the different programs write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from entrepot.archive.carried import Carried
from entrepot.archive.reading import read_archive
from entrepot.errors import ArchiveInvalid
from fakes.archives import CONTAINERD_NAME, OCI_NAME, Files, layout, saved_since_25, tar
from fakes.images import image, index, sha256

ONE = image("one", flavour="oci", rootfs={"a": (0o644, b"a")})
TWO = image("two", flavour="oci")
NAME = "registry.k8s.io/pause:3.9"


def images(path: Path, files: Files) -> Sequence[Carried]:
    (path / "file").write_bytes(tar(files))
    return read_archive(path / "file").images


@pytest.mark.parametrize(
    ("notes", "names"),
    [
        ({CONTAINERD_NAME: NAME, OCI_NAME: "3.9"}, (NAME,)),
        ({OCI_NAME: NAME}, (NAME,)),
        ({CONTAINERD_NAME: "busybox:1"}, ("busybox:1",)),
        ({OCI_NAME: "3.9"}, ()),
        ({OCI_NAME: "latest"}, ()),
        ({CONTAINERD_NAME: f"sha256:{'a' * 64}"}, ()),
        ({}, ()),
    ],
    ids=["ctr", "skopeo and podman", "short", "tag", "latest", "cri", "none"],
)
def test_annotations_name_an_image(
    tmp_path: Path, notes: Mapping[str, str], names: Sequence[str]
) -> None:
    [one] = images(tmp_path, layout([(ONE, notes)]))
    assert (one.names, one.root.digest) == (tuple(names), ONE.digest)


def test_one_image_may_have_several_names_and_a_file_several_images(tmp_path: Path) -> None:
    named = [(ONE, {OCI_NAME: NAME}), (TWO, {OCI_NAME: "a.example/two:2"})]
    one, two = images(tmp_path, layout([*named, (ONE, {OCI_NAME: "b.example/one:1"})]))
    assert (one.names, two.names) == ((NAME, "b.example/one:1"), ("a.example/two:2",))


def test_names_are_taken_from_dockers_list_where_the_index_has_none(tmp_path: Path) -> None:
    saved = [{"Config": f"blobs/sha256/{sha256(ONE.config).hex}", "RepoTags": [NAME], "Layers": []}]
    more = {"manifest.json": json.dumps(saved).encode()}
    [one] = images(tmp_path, layout([(ONE, {})], more=more))
    assert one.names == (NAME,)


def test_docker_since_25_has_manifests_of_its_own(tmp_path: Path) -> None:
    [one] = images(tmp_path, saved_since_25("busybox:1", ONE))
    assert (one.names, one.rewritten) == (("docker.io/library/busybox:1",), True)
    assert one.root.digest != ONE.digest


def test_an_index_of_platforms_without_names_is_the_image(tmp_path: Path) -> None:
    parts = [image("p", platform=each) for each in ("linux/amd64", "linux/arm64")]
    files = layout([(each, {}) for each in parts])
    [one] = images(tmp_path, files)
    assert one.root.digest == sha256(files["index.json"])
    assert [each.digest for each in one.manifests[:-1]] == [each.digest for each in parts]
    del files[f"blobs/sha256/{parts[1].digest.hex}"]
    [one] = images(tmp_path, files)
    assert [each.digest for each in one.manifests[:-1]] == [parts[0].digest]
    del files[f"blobs/sha256/{parts[0].digest.hex}"]
    with pytest.raises(ArchiveInvalid, match="not complete"):
        images(tmp_path, files)


def test_an_index_in_a_layout_keeps_its_digest(tmp_path: Path) -> None:
    both = index([ONE, TWO], flavour="oci")
    [one] = images(tmp_path, layout([(both, {OCI_NAME: NAME})]))
    assert one.root.digest == both.digest


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"manifests": []}', b'{"manifests": [{"digest": "x"}]}', b"\xff"]
)
def test_an_index_that_says_nothing_is_refused(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(ArchiveInvalid, match=r"index\.json"):
        images(tmp_path, layout([(ONE, {})]) | {"index.json": body})


@pytest.mark.parametrize("body", [b"{", b"{}", b"[1]", b'[{"Config": 1, "RepoTags": 5}]'])
def test_a_bad_list_of_dockers_costs_no_more_than_names(tmp_path: Path, body: bytes) -> None:
    files = layout([(ONE, {})], more={"manifest.json": body})
    if body == b"{":
        with pytest.raises(ArchiveInvalid, match="no JSON"):
            images(tmp_path, files)
    else:
        assert images(tmp_path, files)[0].names == ()
