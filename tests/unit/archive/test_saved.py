"""docker save: a manifest is written for it, and said to be another than the registry's."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import zstandard

from entrepot.archive.carried import Carried
from entrepot.archive.reading import read_archive
from entrepot.errors import ArchiveInvalid
from entrepot.oci.manifest import descriptors
from fakes.archives import Files, docker_save, tar
from fakes.images import image, sha256

ROOT = {"bin/app": (0o755, b"app" * 500)}
ONE = image("one", rootfs=ROOT)
TWO = image("two", rootfs=ROOT, layers=(700,))


def images(path: Path, files: Files, **links: str) -> Sequence[Carried]:
    (path / "file").write_bytes(tar(files, links=links))
    return read_archive(path / "file").images


def test_layers_are_plain_and_named_by_what_the_config_says(tmp_path: Path) -> None:
    [one] = images(tmp_path, docker_save([(ONE, ["app:1", "registry.example/app:1"])]))
    assert one.names == ("app:1", "registry.example/app:1")
    plain = gzip.decompress(ONE.layers[0])
    assert [part.digest for part in one.parts] == [sha256(ONE.config), sha256(plain)]
    assert one.rewritten
    config, layer = descriptors(one.root)
    assert (config.size, layer.size) == (len(ONE.config), len(plain))
    assert layer.media_type == "application/vnd.oci.image.layer.v1.tar"
    assert one.manifests == (one.root,)


def test_the_same_file_is_the_same_image(tmp_path: Path) -> None:
    [first] = images(tmp_path, docker_save([(ONE, ["a:1"])]))
    [second] = images(tmp_path, docker_save([(ONE, ["b:1"])]))
    assert first.root.digest == second.root.digest
    [both] = images(tmp_path, _twice(docker_save([(ONE, ["a:1"])]), "b:1"))
    assert both.names == ("a:1", "b:1")


def _twice(files: Files, tag: str) -> Files:
    [entry] = json.loads(files["manifest.json"])
    return files | {"manifest.json": json.dumps([entry, entry | {"RepoTags": [tag]}]).encode()}


def test_several_images_share_what_they_have_in_common(tmp_path: Path) -> None:
    one, two = images(tmp_path, docker_save([(ONE, ["one:1"]), (TWO, [])]))
    assert (one.names, two.names) == (("one:1",), ())
    assert one.parts[1].digest == two.parts[1].digest


def test_a_layer_that_is_a_link_to_another_is_found(tmp_path: Path) -> None:
    files = docker_save([(ONE, ["one:1"])])
    [member] = [name for name in files if name.endswith("layer.tar")]
    files["elsewhere/layer.tar"] = files.pop(member)
    (tmp_path / "file").write_bytes(tar(files, links={member: "../elsewhere/layer.tar"}))
    archive = read_archive(tmp_path / "file")
    found = {
        part.digest: b"".join(pieces) for part, pieces in archive.blobs(archive.images[0].parts)
    }
    assert sha256(gzip.decompress(ONE.layers[0])) in found
    assert all(sha256(data) == digest for digest, data in found.items())


@pytest.mark.parametrize(
    ("pack", "suffix"), [(gzip.compress, "gzip"), (zstandard.compress, "zstd")]
)
@pytest.mark.parametrize("outside", ["tar", "zst"])
def test_layers_may_be_packed(tmp_path: Path, pack: object, suffix: str, outside: str) -> None:
    """As bazel and kaniko write them."""
    assert callable(pack)
    files = docker_save([(ONE, ["one:1"])])
    [member] = [name for name in files if name.endswith("layer.tar")]
    files[member] = pack(files[member])
    data = tar(files)
    (tmp_path / "file").write_bytes(data if outside == "tar" else zstandard.compress(data))
    [one] = read_archive(tmp_path / "file").images
    assert one.parts[1].digest == sha256(files[member])
    assert descriptors(one.root)[1].media_type.endswith(f"tar+{suffix}")


@pytest.mark.parametrize(
    "entries",
    [
        b"{",
        b"[]",
        b"{}",
        b"[1]",
        b'[{"Config": "none.json", "Layers": []}]',
        b'[{"Config": "../../etc/passwd", "Layers": []}]',
        b'[{"Layers": []}]',
        b'[{"Config": "c.json", "Layers": ["x"]}]',
        b'[{"Config": "c.json", "Layers": [1]}]',
        b'[{"Config": "bad.json", "Layers": []}]',
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, entries: bytes) -> None:
    config = json.dumps({"rootfs": {"diff_ids": [f"sha256:{'a' * 64}"]}}).encode()
    files = {"c.json": config, "bad.json": b'{"rootfs": {"diff_ids": ["x"]}}'}
    with pytest.raises(ArchiveInvalid):
        images(tmp_path, files | {"manifest.json": entries})
