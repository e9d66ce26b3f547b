"""The bytes of an archive, whatever they are packed with: plain, gzip or zstd."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO

import zstandard

from entrepot.errors import ArchiveInvalid

_MOST_TIMES = 300
"""What expands to more than this is no archive of images but made to keep us busy."""
_FREE_BYTES = 1 << 30
_WINDOW_BYTES = 128 << 20
"""zstd --long needs memory for so far back; k3s packs with 32 MiB."""
_SKIPPABLE = tuple(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60))
_STRANGERS = {
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
    b"\x04\x22\x4d\x18": "lz4",
}


class Packing(Enum):
    """How the bytes of a file are packed."""

    PLAIN = "plain"
    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class Packed:
    """A file and how it is packed; found out by its first bytes, never by its name."""

    path: Path
    packing: Packing
    size: int

    @classmethod
    def of(cls, path: Path) -> Packed:
        """Look at a file; ArchiveInvalid for a packing that is not known, OSError."""
        with path.open("rb") as file:
            return cls(path, _told(file.read(8)), file.seek(0, io.SEEK_END))

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Read what is in it; seekable only when it is plain. ArchiveInvalid for broken packing."""
        with self.path.open("rb") as file:
            if self.packing is Packing.PLAIN:
                yield file
                return
            unpacked = _unpacked(file, self.packing)
            most = max(self.size * _MOST_TIMES, _FREE_BYTES)
            yield io.BufferedReader(_Bounded(unpacked, most), 1 << 20)


def packed_as(head: bytes) -> Packing:
    """Tell by its first bytes how something is packed; PLAIN for anything else."""
    if head.startswith(b"\x1f\x8b"):
        return Packing.GZIP
    if head.startswith((b"\x28\xb5\x2f\xfd", *_SKIPPABLE)):
        return Packing.ZSTD
    return Packing.PLAIN


def _told(head: bytes) -> Packing:
    for magic, name in _STRANGERS.items():
        if head.startswith(magic):
            raise ArchiveInvalid(
                f"it is packed with {name}: unpack it first (gzip and zstd are read)"
            )
    return packed_as(head)


def _unpacked(file: BinaryIO, packing: Packing) -> Callable[[int], bytes]:
    if packing is Packing.GZIP:
        return gzip.GzipFile(fileobj=file).read
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
    return decompressor.stream_reader(file, read_across_frames=True).read


class _Bounded(io.RawIOBase):
    """Passes on what is unpacked, up to a limit; broken packing becomes ArchiveInvalid."""

    def __init__(self, read: Callable[[int], bytes], most: int) -> None:
        self._read = read
        self._left = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            data = self._read(len(buffer))
        except (zstandard.ZstdError, zlib.error, gzip.BadGzipFile, EOFError) as error:
            raise ArchiveInvalid(f"it cannot be unpacked: {error}") from error
        self._left -= len(data)
        if self._left < 0:
            raise ArchiveInvalid(
                f"it is refused: it expands to more than {_MOST_TIMES} times its size"
            )
        buffer[: len(data)] = data
        return len(data)
