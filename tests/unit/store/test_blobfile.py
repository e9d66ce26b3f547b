from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.errors import Corrupt, StoreError
from entrepot.oci.digest import Digest
from entrepot.store.blobfile import (
    delete_file,
    disk_space,
    is_public_file,
    length,
    lengths,
    open_blob,
    publish,
    put_file,
    read_proved,
)
from entrepot.store.layout import BLOB_MODE, PRIVATE_BLOB_MODE

DATA = b"some bytes"
DIGEST = Digest.of(DATA)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "blobs" / DIGEST.hex


def put(path: Path, mode: int = BLOB_MODE) -> None:
    put_file(DIGEST, DATA, path.parent.parent / "new", path, mode)


def test_what_was_put_is_opened_and_proved(path: Path) -> None:
    put(path)
    opened = open_blob(path)
    assert opened is not None
    with opened:
        assert (opened.size, opened.public, opened.file.read()) == (len(DATA), True, DATA)
    assert read_proved(DIGEST, path, 100) == DATA
    assert length(path) == len(DATA)
    assert lengths({DIGEST: path, Digest.of(b"x"): path.parent / "x"}) == {DIGEST: len(DATA)}


def test_what_is_not_here_is_none(path: Path) -> None:
    assert open_blob(path) is None
    assert read_proved(DIGEST, path, 100) is None
    assert length(path) is None
    assert not is_public_file(path)
    assert not delete_file(path)


def test_wrong_bytes_are_neither_put_nor_read(path: Path) -> None:
    with pytest.raises(Corrupt):
        put_file(Digest.of(b"other"), DATA, path.parent.parent / "new", path, BLOB_MODE)
    path.parent.mkdir()
    path.write_bytes(b"rotten")
    with pytest.raises(Corrupt):
        read_proved(DIGEST, path, 100)
    with pytest.raises(StoreError, match="more than 3"):
        read_proved(DIGEST, path, 3)


def test_what_is_private_is_so_until_it_is_published(path: Path) -> None:
    put(path, PRIVATE_BLOB_MODE)
    assert not is_public_file(path)
    publish(path)
    assert is_public_file(path)


def test_the_disk_has_a_size(tmp_path: Path) -> None:
    free, size = disk_space(tmp_path)
    assert 0 < free <= size
