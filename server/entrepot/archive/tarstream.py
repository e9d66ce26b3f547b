"""The members of a tar, one after the other, in memory that does not grow with them.

Python's tarfile reads a header's extension into memory whatever size it says it has, and follows
more kinds of members than any archive of images has. This reads what GNU tar, Go and Python write:
ustar, GNU long names and sizes, pax.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

from entrepot.errors import ArchiveInvalid

BLOCK_BYTES = 512
CHUNK_BYTES = 1 << 20
MOST_MEMBERS = 200_000
MOST_BYTES = 1 << 44
_MOST_EXTENSION_BYTES = 1 << 20
_MOST_NAME_CHARACTERS = 4096

_FILES = b"\0" + b"0" + b"7"
_LONG_NAME, _LONG_LINK, _PAX, _GLOBAL_PAX = b"L", b"K", b"x", b"g"


class Kind(Enum):
    """What a member is."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Member:
    """One member; `offset` is where its bytes begin in the unpacked tar.

    `target` is what a link stands for, as a name of the archive.
    """

    name: str
    kind: Kind
    size: int
    offset: int
    target: str = ""


class TarStream:
    """Walks through `stream` once. Read a member's bytes before asking for the next one."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._at = 0
        self._end = 0
        self._seekable = stream.seekable()

    def members(self) -> Iterator[Member]:
        """Yield every member; ArchiveInvalid for what is no tar, or none that is to be trusted."""
        count, empty = 0, 0
        names: dict[str, str] = {}
        while empty < 2:
            self._skip_to(self._end)
            header = self._read(BLOCK_BYTES)
            if not header and not count:
                raise ArchiveInvalid("it is empty")
            if not header:
                return  # some writers leave the two empty blocks out
            if not any(header):
                empty += 1
                self._end = self._at
                continue
            empty = 0
            size, kind = _checked(header)
            if kind in (_LONG_NAME, _LONG_LINK, _PAX, _GLOBAL_PAX):
                self._extend(names, kind, size)
                continue
            count += 1
            if count > MOST_MEMBERS:
                raise ArchiveInvalid(f"it has more than {MOST_MEMBERS} members")
            member = self._member(header, kind, size, names)
            names = {}
            if member is not None:
                yield member

    def chunks(self, member: Member) -> Iterator[bytes]:
        """Yield the bytes of the member that `members` told last, piece by piece."""
        left = member.size - (self._at - member.offset)
        while left:
            data = self._read(min(left, CHUNK_BYTES))
            if not data:
                raise ArchiveInvalid(f"it ends in the middle of {_quoted(member.name)}")
            left -= len(data)
            yield data

    def _member(
        self, header: bytes, kind: bytes, size: int, names: dict[str, str]
    ) -> Member | None:
        name = safe_name(names.get("path") or _header_name(header))
        if "size" in names:
            size = _decimal(names["size"])
        if kind not in _FILES and kind not in {b"1", b"2", b"5"}:
            raise ArchiveInvalid(f"{_quoted(name)} is no file, directory or link")
        if kind not in _FILES:
            size = 0
        if size > MOST_BYTES:
            raise ArchiveInvalid(f"{_quoted(name)} says it has {size} bytes")
        self._end = self._at + size + -size % BLOCK_BYTES
        if kind == b"5" or (kind in _FILES and name.endswith("/")):
            return Member(name.rstrip("/"), Kind.DIRECTORY, 0, self._at)
        if not name:
            return None
        if kind in _FILES:
            return Member(name, Kind.FILE, size, self._at)
        told = names.get("linkpath") or _text(header[157:257])
        # a hard link names its target from the top, a symbolic one from where it lies
        base = name.rpartition("/")[0] if kind == b"2" else ""
        return Member(name, Kind.LINK, 0, self._at, resolved(base, told, name))

    def _extend(self, names: dict[str, str], kind: bytes, size: int) -> None:
        if size > _MOST_EXTENSION_BYTES:
            raise ArchiveInvalid(f"it has a header of {size} bytes")
        begin = self._at
        data = b""
        while len(data) < size:
            piece = self._read(size - len(data))
            if not piece:
                raise ArchiveInvalid("it ends in the middle of a header")
            data += piece
        self._end = begin + size + -size % BLOCK_BYTES
        if kind == _LONG_NAME:
            names["path"] = _text(data)
        elif kind == _LONG_LINK:
            names["linkpath"] = _text(data)
        elif kind == _PAX:
            names.update(_pax(data))

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._at += len(data)
        return data

    def _skip_to(self, offset: int) -> None:
        if self._seekable and offset != self._at:
            self._stream.seek(offset)
            self._at = offset
        while self._at < offset:
            if not self._read(min(offset - self._at, CHUNK_BYTES)):
                raise ArchiveInvalid("it ends in the middle of a member")


def safe_name(text: str) -> str:
    """Write a member's name without `./`; ArchiveInvalid for one that leads out of the archive."""
    if len(text) > _MOST_NAME_CHARACTERS:
        raise ArchiveInvalid("it has a member with a name that is too long")
    if text.startswith("/") or "\0" in text or ".." in text.split("/"):
        raise ArchiveInvalid(f"the member {_quoted(text)} leads out of the archive")
    ending = "/" if text.endswith("/") else ""
    parts = [part for part in text.split("/") if part not in {"", "."}]
    return "/".join(parts) + (ending if parts else "")


def resolved(base: str, target: str, name: str) -> str:
    """Tell what a link at `name` in the directory `base` stands for, inside the archive."""
    if target.startswith("/") or "\0" in target or len(target) > _MOST_NAME_CHARACTERS:
        raise ArchiveInvalid(f"the link {_quoted(name)} leads out of the archive")
    parts = base.split("/") if base else []
    for part in target.split("/"):
        if part == "..":
            if not parts:
                raise ArchiveInvalid(f"the link {_quoted(name)} leads out of the archive")
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def _checked(header: bytes) -> tuple[int, bytes]:
    """Tell the size and the type of a header whose checksum is right."""
    if len(header) < BLOCK_BYTES:
        raise ArchiveInvalid("it is no tar, or ends in the middle of a header")
    summed = sum(header[:148]) + 8 * 32 + sum(header[156:])
    try:
        told = int(header[148:156].strip(b" \0"), 8)
    except ValueError:
        told = -1
    if told != summed:
        raise ArchiveInvalid("it is no tar, or a broken one")
    return _number(header[124:136]), header[156:157]


def _number(field: bytes) -> int:
    """Read octal digits, or GNU's base 256 for what does not fit into them."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        value = int(field.strip(b" \0") or b"0", 8)
    except ValueError as error:
        raise ArchiveInvalid("it has a member with a size that is no number") from error
    if value < 0:
        raise ArchiveInvalid("it has a member with a size that is no number")
    return value


def _decimal(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise ArchiveInvalid("it has a member with a size that is no number")
    return int(text)


def _header_name(header: bytes) -> str:
    name = _text(header[:100])
    # GNU puts other things where ustar has the prefix
    if header[257:263] == b"ustar\0" and header[345] != 0:
        return f"{_text(header[345:500])}/{name}"
    return name


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _pax(data: bytes) -> Iterator[tuple[str, str]]:
    """Read records of the form `LENGTH key=value` and a line feed."""
    stream = io.BytesIO(data)
    while stream.tell() < len(data):
        begin = stream.tell()
        digits = data[begin : begin + 8].partition(b" ")[0]
        if not digits.isdigit():
            raise ArchiveInvalid("it has a pax header that cannot be read")
        record = stream.read(int(digits))
        if len(record) < int(digits) or len(record) <= len(digits) + 1:
            raise ArchiveInvalid("it has a pax header that cannot be read")
        key, _, value = record[len(digits) + 1 : -1].partition(b"=")
        if key in {b"path", b"linkpath", b"size"}:
            yield key.decode(), value.decode("utf-8", "surrogateescape")
        elif key.startswith(b"GNU.sparse"):
            raise ArchiveInvalid("it has a sparse file, which no archive of images has")


def _quoted(text: str) -> str:
    return repr(text[:200])
