"""Archives that are written: read again, the same every time, and whole or not at all."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.archive.reading import read_archive
from entrepot.archive.writing import Outgoing, contents_of, write_layout
from entrepot.errors import ArchiveInvalid
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from fakes.images import Image, Index, artifact, image, index, sha256

IMAGES = [image("w", platform=each, layers=(1000, 0)) for each in ("linux/amd64", "linux/arm64")]
BOTH = index(IMAGES)
NAME = "registry.k8s.io/app:1"
BLOBS = {
    sha256(data): data for each in IMAGES for data in (BOTH.manifest, each.manifest, *each.blobs)
}


def manifest(one: Image | Index) -> Manifest:
    return Manifest(one.digest, one.media_type, one.manifest)


def fetch(digest: Digest) -> Iterator[bytes]:
    data = BLOBS[digest]
    yield data[:10]
    yield data[10:]


def outgoing(*images: Image, name: str = NAME) -> Outgoing:
    return Outgoing(name, manifest(BOTH), tuple(map(manifest, images)))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "out.tar"
    size = write_layout(file, [outgoing(*IMAGES)], fetch)
    assert size == file.stat().st_size
    archive = read_archive(file)
    [one] = archive.images
    assert (one.names, one.root.digest, one.lacking) == ((NAME,), BOTH.digest, ())
    assert {p.digest: b"".join(pieces) for p, pieces in archive.blobs(one.parts)} == {
        sha256(data): data for each in IMAGES for data in each.blobs
    }


def test_the_same_images_make_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_layout(tmp_path / name, [outgoing(*IMAGES)], fetch)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_one_platform_leaves_the_others_out(tmp_path: Path) -> None:
    write_layout(tmp_path / "out", [outgoing(IMAGES[1])], fetch)
    [one] = read_archive(tmp_path / "out").images
    assert [each.digest for each in one.manifests] == [IMAGES[1].digest, BOTH.digest]
    with tarfile.open(tmp_path / "out") as made:
        saved = made.extractfile("manifest.json")
        assert saved is not None
        [entry] = json.load(saved)
    assert entry["RepoTags"] == [NAME]
    assert entry["Config"] == f"blobs/sha256/{sha256(IMAGES[1].config).hex}"
    assert entry["Layers"] == [f"blobs/sha256/{sha256(each).hex}" for each in IMAGES[1].layers]


def test_shared_blobs_are_written_once_and_names_are_kept(tmp_path: Path) -> None:
    images = [outgoing(IMAGES[0]), outgoing(IMAGES[0], name=f"{NAME}0")]
    digests = [each.digest for each in contents_of(images)]
    assert len(digests) == len(set(digests))
    write_layout(tmp_path / "out", images, fetch)
    [one] = read_archive(tmp_path / "out").images
    assert one.names == (NAME, f"{NAME}0")


def test_an_artifact_is_nothing_for_docker(tmp_path: Path) -> None:
    chart = artifact(payload=b"chart")
    data = {sha256(each): each for each in (chart.manifest, *chart.blobs)}
    out = Outgoing("registry.example/chart@sha256:1", manifest(chart), (manifest(chart),))
    write_layout(tmp_path / "out", [out], lambda digest: iter([data[digest]]))
    with tarfile.open(tmp_path / "out") as made:
        saved = made.extractfile("manifest.json")
        assert saved is not None
        assert json.load(saved) == []


@pytest.mark.parametrize("wrong", [b"", b"x", b"x" * 1000, b"y" * 2000])
def test_wrong_bytes_leave_no_file(tmp_path: Path, wrong: bytes) -> None:
    bad = sha256(IMAGES[0].layers[0])

    def lying(digest: Digest) -> Iterator[bytes]:
        yield from [wrong] if digest == bad else fetch(digest)

    with pytest.raises(ArchiveInvalid, match=str(bad)):
        write_layout(tmp_path / "out", [outgoing(*IMAGES)], lying)
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_bytes(b"before")

    def broken(digest: Digest) -> Iterator[bytes]:
        raise ConnectionError(str(digest))

    with pytest.raises(ConnectionError):
        write_layout(file, [outgoing(*IMAGES)], broken)
    assert file.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [file]
