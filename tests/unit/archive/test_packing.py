"""Packed archives: told by their bytes, unpacked within bounds."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
import zstandard

from entrepot.archive import packing
from entrepot.archive.packing import Packed, Packing, packed_as
from entrepot.errors import ArchiveInvalid
from fakes.images import blob

TEXT = b"some text " * 1000


def written(path: Path, data: bytes) -> Packed:
    file = path / "file"
    file.write_bytes(data)
    return Packed.of(file)


def unpacked(packed: Packed) -> bytes:
    with packed.opened() as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (TEXT, Packing.PLAIN),
        (gzip.compress(TEXT), Packing.GZIP),
        (gzip.compress(TEXT[:50]) + gzip.compress(TEXT[50:]), Packing.GZIP),
        (zstandard.compress(TEXT), Packing.ZSTD),
        (zstandard.compress(TEXT[:50]) + zstandard.compress(TEXT[50:]), Packing.ZSTD),
        (b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstandard.compress(TEXT), Packing.ZSTD),
    ],
    ids=["plain", "gzip", "gzip members", "zstd", "zstd frames", "zstd after a frame to skip"],
)
def test_the_bytes_tell_the_packing(tmp_path: Path, data: bytes, expected: Packing) -> None:
    packed = written(tmp_path, data)
    assert (packed.packing, packed.size, packed_as(data[:8])) == (expected, len(data), expected)
    assert unpacked(packed) == TEXT


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_what_is_broken_is_refused(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    data = pack(blob(100_000))
    with pytest.raises(ArchiveInvalid, match="cannot be unpacked"):
        unpacked(written(tmp_path, data[:9] + b"\xff" * 9 + data[18:]))


def test_gzip_that_is_cut_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveInvalid, match="cannot be unpacked"):
        unpacked(written(tmp_path, gzip.compress(blob(100_000))[:-5]))


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_FREE_BYTES", 1 << 20)
    packed = written(tmp_path, zstandard.compress(bytes(100 << 20)))
    taken: list[int] = []
    with packed.opened() as stream, pytest.raises(ArchiveInvalid, match="expands"):
        taken.extend(map(len, iter(lambda: stream.read(1 << 20), b"")))
    assert sum(taken) <= 300 * packed.size + (2 << 20)


@pytest.mark.parametrize(
    ("data", "name"), [(lzma.compress(TEXT), "xz"), (b"PK\x03\x04" + TEXT, "zip")]
)
def test_other_packings_are_named(tmp_path: Path, data: bytes, name: str) -> None:
    with pytest.raises(ArchiveInvalid, match=name):
        written(tmp_path, data)
