"""What there is of an image in a file: platforms that are whole, and none that is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.archive.carried import Carried
from entrepot.archive.reading import read_archive
from entrepot.errors import ArchiveInvalid
from fakes.archives import Files, ctr_export, tar
from fakes.images import artifact, image, index, sha256

PLATFORMS = ("linux/amd64", "linux/arm64")
IMAGES = [image("carried", platform=each, flavour="oci") for each in PLATFORMS]
BOTH = index(IMAGES, flavour="oci")
NAME = "registry.example/app:1"


def member(data: bytes) -> str:
    return f"blobs/sha256/{sha256(data).hex}"


def carried(path: Path, files: Files) -> Carried:
    (path / "file").write_bytes(tar(files))
    [one] = read_archive(path / "file").images
    return one


def without(files: Files, *data: bytes) -> Files:
    gone = {member(each) for each in data}
    return {name: each for name, each in files.items() if name not in gone}


def test_an_index_is_carried_with_its_platforms(tmp_path: Path) -> None:
    one = carried(tmp_path, ctr_export(NAME, BOTH))
    assert (one.names, one.root.digest, one.lacking) == ((NAME,), BOTH.digest, ())
    assert [each.digest for each in one.manifests] == [*(i.digest for i in IMAGES), BOTH.digest]
    assert one.root.body == BOTH.manifest
    expected = {sha256(data) for each in IMAGES for data in each.blobs}
    assert {part.digest for part in one.parts} == expected
    assert one.size == sum(len(data) for each in IMAGES for data in each.blobs)
    assert not one.rewritten


@pytest.mark.parametrize("gone", ["manifest", "layer"])
def test_a_platform_that_is_not_whole_is_left_out_and_told(tmp_path: Path, gone: str) -> None:
    data = IMAGES[1].manifest if gone == "manifest" else IMAGES[1].layers[0]
    one = carried(tmp_path, without(ctr_export(NAME, BOTH), data))
    assert [each.digest for each in one.manifests] == [IMAGES[0].digest, BOTH.digest]
    [lacking] = one.lacking
    assert str(lacking) == f"{sha256(data)} of linux/arm64"
    assert {part.digest for part in one.parts} == {sha256(data) for data in IMAGES[0].blobs}


def test_nothing_whole_is_no_image(tmp_path: Path) -> None:
    files = without(ctr_export(NAME, BOTH), *(each.layers[0] for each in IMAGES))
    with pytest.raises(ArchiveInvalid, match=f"lacks {sha256(IMAGES[0].layers[0])} of linux/amd64"):
        carried(tmp_path, files)
    with pytest.raises(ArchiveInvalid, match="not complete"):
        carried(tmp_path, without(ctr_export(NAME, BOTH), BOTH.manifest))


def test_a_manifest_with_other_bytes_is_refused(tmp_path: Path) -> None:
    files = ctr_export(NAME, IMAGES[0]) | {member(IMAGES[0].manifest): IMAGES[1].manifest}
    with pytest.raises(ArchiveInvalid, match="the bytes are"):
        carried(tmp_path, files)


def test_a_blob_of_another_length_is_refused_before_it_is_read(tmp_path: Path) -> None:
    files = ctr_export(NAME, IMAGES[0])
    files[member(IMAGES[0].layers[0])] += b"x"
    with pytest.raises(ArchiveInvalid, match="1001 bytes, and should have 1000"):
        carried(tmp_path, files)


def test_indexes_inside_indexes_are_followed_four_deep(tmp_path: Path) -> None:
    files = ctr_export(NAME, BOTH)
    listed: dict[str, object] = BOTH.descriptor()
    for depth in range(5):
        body = json.dumps({"schemaVersion": 2, "manifests": [listed]}).encode()
        listed = {"mediaType": BOTH.media_type, "digest": str(sha256(body)), "size": len(body)}
        files[member(body)] = body
        files["index.json"] = body
        if depth < 3:
            assert carried(tmp_path, files).parts
    with pytest.raises(ArchiveInvalid, match="not complete"):
        carried(tmp_path, files)


def test_artifacts_and_content_inside_manifests_are_carried(tmp_path: Path) -> None:
    one = carried(tmp_path, ctr_export(NAME, artifact(payload=b"a chart")))
    assert len(one.parts) == 2
    assert not one.rewritten
