"""A file hashed again, in pieces."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.store.rehash import PIECE_BYTES, Rehash, is_lost

DATA = os.urandom(3 * PIECE_BYTES + 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("keep_cached", [True, False])
def test_piece_by_piece_and_again(path: Path, keep_cached: bool) -> None:
    rehash = Rehash(Digest.of(DATA), path, keep_cached=keep_cached)
    for _ in range(2):
        assert rehash.read(2 * PIECE_BYTES)
        assert not rehash.proved
        assert not rehash.read(2 * PIECE_BYTES)
        assert (rehash.at, rehash.proved) == (len(DATA), True)
        rehash.rewind()
    rehash.close()


def test_other_bytes_are_not_proved(path: Path) -> None:
    rehash = Rehash(Digest.of(b"other"), path, keep_cached=True)
    while rehash.read(PIECE_BYTES):
        pass
    assert not rehash.proved
    rehash.close()


def test_in_place_until_it_is_replaced_or_gone(path: Path) -> None:
    rehash = Rehash(Digest.of(DATA), path, keep_cached=True)
    seen = [rehash.in_place]
    path.rename(path.with_name("moved"))
    seen.append(rehash.in_place)
    path.write_bytes(DATA)
    seen.append(rehash.in_place)
    assert seen == [True, False, False]
    rehash.close()


@pytest.mark.parametrize(
    ("number", "lost"),
    [(errno.EIO, True), (errno.EBADMSG, True), (errno.EACCES, False), (errno.ENOENT, False)],
)
def test_which_errors_mean_that_bytes_are_lost(number: int, lost: bool) -> None:
    assert is_lost(OSError(number, "")) is lost
