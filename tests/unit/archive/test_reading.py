"""Which kind of archive a file is."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
import zstandard

from entrepot.archive.reading import read_archive
from entrepot.errors import ArchiveInvalid
from fakes.archives import Files, ctr_export, docker_save, tar
from fakes.images import image, sha256

ONE = image("one", rootfs={"a": (0o644, b"a")}, layers=(3 << 20,))
NAME = "registry.example/app:1"


def test_an_index_is_looked_at_before_dockers_list(tmp_path: Path) -> None:
    files = docker_save([(ONE, ["other:1"])]) | ctr_export(NAME, ONE)
    (tmp_path / "file").write_bytes(tar(files))
    [one] = read_archive(tmp_path / "file").images
    assert (one.root.digest, one.rewritten) == (ONE.digest, False)


@pytest.mark.parametrize("packed", [False, True])
def test_blobs_come_with_their_bytes(tmp_path: Path, packed: bool) -> None:
    data = tar(ctr_export(NAME, ONE))
    (tmp_path / "file").write_bytes(zstandard.compress(data) if packed else data)
    archive = read_archive(tmp_path / "file")
    [one] = archive.images
    found = {part.digest: b"".join(pieces) for part, pieces in archive.blobs(one.parts)}
    assert found == {sha256(data): data for data in ONE.blobs}


@pytest.mark.parametrize("packed", [False, True])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, packed: bool) -> None:
    data = tar(docker_save([(image("big", layers=(100 << 20,)), [NAME])]))
    (tmp_path / "file").write_bytes(zstandard.compress(data, 1) if packed else data)
    del data
    tracemalloc.start()
    try:
        archive = read_archive(tmp_path / "file")
        sizes = {
            p.size: sum(map(len, pieces)) for p, pieces in archive.blobs(archive.images[0].parts)
        }
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert all(size == sent for size, sent in sizes.items())
    assert peak < 20 << 20


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"repositories": b"{}", "abc/layer.tar": b""}, "before 1.10"),
        ({"etc/passwd": b""}, "no images"),
        ({"backup/index.json": b"{}"}, "in 'backup'"),
    ],
)
def test_what_is_none_is_told(tmp_path: Path, files: Files, told: str) -> None:
    (tmp_path / "file").write_bytes(tar(files))
    with pytest.raises(ArchiveInvalid, match=told):
        read_archive(tmp_path / "file")


@pytest.mark.parametrize("data", [b"", b"hello", bytes(2048), b"\x1f\x8b\x08hello"])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(ArchiveInvalid):
        read_archive(tmp_path / "file")
