from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.store.placement import make_directories, place, write_blob, write_durably


def test_make_directories_makes_all_and_accepts_what_is_there(tmp_path: Path) -> None:
    make_directories(tmp_path / "a" / "b" / "c")
    make_directories(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()


def test_make_directories_refuses_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(OSError):
        make_directories(tmp_path / "a" / "b")


def test_write_durably_never_overwrites(tmp_path: Path) -> None:
    write_durably(tmp_path / "file", b"first", 0o600)
    with pytest.raises(FileExistsError):
        write_durably(tmp_path / "file", b"second", 0o600)
    assert (tmp_path / "file").read_bytes() == b"first"


def test_place_makes_the_directory_and_moves_the_file(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"bytes")
    place(tmp_path / "source", tmp_path / "a" / "b" / "target")
    assert (tmp_path / "a" / "b" / "target").read_bytes() == b"bytes"
    assert not (tmp_path / "source").exists()


def test_a_written_blob_is_read_only_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    write_blob(tmp_path / "temporary", tmp_path / "blobs" / "x", b"bytes")
    assert (tmp_path / "blobs" / "x").stat().st_mode & 0o777 == 0o444
    assert [path.name for path in tmp_path.iterdir()] == ["blobs"]


def test_a_blob_that_cannot_be_placed_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"")
    with pytest.raises(OSError):
        write_blob(tmp_path / "temporary", tmp_path / "blobs" / "x", b"bytes")
    assert [path.name for path in tmp_path.iterdir()] == ["blobs"]
