"""Named files, wherever they are: in a tar, in a packed tar, in a directory."""

from __future__ import annotations

import hashlib
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from entrepot.archive.packing import Packed, Packing
from entrepot.archive.tarstream import CHUNK_BYTES, MOST_MEMBERS, Kind, Member, TarStream
from entrepot.errors import ArchiveInvalid

DOCUMENT_BYTES = 8 << 20
"""No index, manifest or config is longer."""
_MOST_KEPT_BYTES = 128 << 20
_MOST_LINKS = 8
_BLOBS = "blobs/sha256/"

Pieces = Iterator[bytes]


class Contents(ABC):
    """What an archive has in it. `sizes` are those of its files, by name; links are followed."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self._links: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return self.real(name) in self.sizes

    def real(self, name: str) -> str:
        """Follow links to the file itself, which need not be there."""
        for _ in range(_MOST_LINKS):
            if name not in self._links:
                return name
            name = self._links[name]
        raise ArchiveInvalid(f"{name[:200]!r} is a link in a circle")

    def size(self, name: str) -> int:
        """Tell the bytes of a file; ArchiveInvalid when it is not there."""
        size = self.sizes.get(self.real(name))
        if size is None:
            raise ArchiveInvalid(f"it lacks {name[:200]!r}")
        return size

    def read(self, name: str) -> bytes:
        """Read a document; ArchiveInvalid when it is not there, or too long to be one."""
        if self.size(name) > DOCUMENT_BYTES:
            raise ArchiveInvalid(f"{name[:200]!r} is too long for what it should be")
        return self._document(self.real(name))

    def digest(self, name: str) -> str:
        """Hash a file: sha256, in hex."""
        self.size(name)
        return self._hashed(self.real(name))

    @abstractmethod
    def head(self, name: str) -> bytes:
        """Read the first 8 bytes of a file."""

    @abstractmethod
    def walk(self, wanted: Collection[str]) -> Iterator[tuple[str, Pieces]]:
        """Go through the wanted files once, in the order that is best; each with its bytes.

        Names are those that `real` tells. Take the bytes before going on.
        """

    @abstractmethod
    def _document(self, name: str) -> bytes: ...

    @abstractmethod
    def _hashed(self, name: str) -> str: ...

    def _one(self, name: str) -> Pieces:
        for _, pieces in self.walk({name}):
            yield from pieces


class TarContents(Contents):
    """A tar that is not packed: read wherever something is wanted."""

    def __init__(self, packed: Packed) -> None:
        super().__init__()
        self._packed = packed
        self._members: dict[str, Member] = {}
        with packed.opened() as stream:
            for member in TarStream(stream).members():
                _enter(member, self.sizes, self._links)
                self._members.setdefault(member.name, member)
        _check_length(self._members.values(), packed.size)

    def head(self, name: str) -> bytes:
        """Read the first 8 bytes of a file."""
        member = self._members[self.real(name)]
        with self._packed.opened() as stream:
            stream.seek(member.offset)
            return stream.read(min(8, member.size))

    def walk(self, wanted: Collection[str]) -> Iterator[tuple[str, Pieces]]:
        """See Contents; in the order in which they lie."""
        members = sorted((self._members[name] for name in set(wanted)), key=lambda m: m.offset)
        with self._packed.opened() as stream:
            for member in members:
                stream.seek(member.offset)
                yield member.name, _pieces(stream.read, member.size, member.name)

    def _document(self, name: str) -> bytes:
        return b"".join(self._one(name))

    def _hashed(self, name: str) -> str:
        return _hash(self._one(name))


@dataclass(slots=True)
class _Noted:
    """What a pass over a packed tar has kept of one file."""

    head: bytes
    digest: str
    document: bytes | None


class PackedContents(Contents):
    """A packed tar: one pass when it is opened, one for what is wanted."""

    def __init__(self, packed: Packed) -> None:
        super().__init__()
        self._packed = packed
        self._noted: dict[str, _Noted] = {}
        self._kept = 0
        with packed.opened() as stream:
            tar = TarStream(stream)
            for member in tar.members():
                _enter(member, self.sizes, self._links)
                if member.kind is Kind.FILE and member.name not in self._noted:
                    self._noted[member.name] = self._note(member, tar.chunks(member))

    def head(self, name: str) -> bytes:
        """Read the first 8 bytes of a file."""
        return self._noted[self.real(name)].head

    def walk(self, wanted: Collection[str]) -> Iterator[tuple[str, Pieces]]:
        """See Contents; in the order in which they lie."""
        left = set(wanted)
        with self._packed.opened() as stream:
            tar = TarStream(stream)
            for member in tar.members():
                if member.name in left and member.kind is Kind.FILE:
                    left.remove(member.name)
                    yield member.name, tar.chunks(member)
                if not left:
                    return

    def _note(self, member: Member, pieces: Pieces) -> _Noted:
        first = next(pieces, b"")
        if member.size <= DOCUMENT_BYTES and first[:1] in {b"{", b"["}:
            document = first + b"".join(pieces)
            self._kept += len(document)
            if self._kept > _MOST_KEPT_BYTES:
                raise ArchiveInvalid("it has more documents than any archive of images")
            return _Noted(document[:8], hashlib.sha256(document).hexdigest(), document)
        if member.name.startswith(_BLOBS):  # its name is its digest, which is proved later
            return _Noted(first[:8], member.name.removeprefix(_BLOBS), None)
        hasher = hashlib.sha256(first)
        for piece in pieces:
            hasher.update(piece)
        return _Noted(first[:8], hasher.hexdigest(), None)

    def _document(self, name: str) -> bytes:
        document = self._noted[name].document
        if document is None:
            raise ArchiveInvalid(f"{name[:200]!r} is no JSON")
        return document

    def _hashed(self, name: str) -> str:
        return self._noted[name].digest


@dataclass(slots=True)
class _Place:
    path: Path
    size: int


class DirectoryContents(Contents):
    """An OCI layout or an unpacked archive; symbolic links in it are not followed."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._places: dict[str, _Place] = {}
        for directory, _, names in os.walk(root):
            for name in names:
                path = Path(directory, name)
                told = path.lstat()
                if not stat.S_ISREG(told.st_mode):
                    continue
                key = path.relative_to(root).as_posix()
                self._places[key] = _Place(path, told.st_size)
                self.sizes[key] = told.st_size
                if len(self.sizes) > MOST_MEMBERS:
                    raise ArchiveInvalid(f"it has more than {MOST_MEMBERS} files")

    def head(self, name: str) -> bytes:
        """Read the first 8 bytes of a file."""
        with self._places[name].path.open("rb") as file:
            return file.read(8)

    def walk(self, wanted: Collection[str]) -> Iterator[tuple[str, Pieces]]:
        """See Contents."""
        for name in sorted(set(wanted)):
            place = self._places[name]
            descriptor = os.open(place.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with closing(os.fdopen(descriptor, "rb")) as file:
                yield name, _pieces(file.read, place.size, name)

    def _document(self, name: str) -> bytes:
        return b"".join(self._one(name))

    def _hashed(self, name: str) -> str:
        return _hash(self._one(name))


def open_contents(path: Path) -> Contents:
    """Open a directory or an archive, packed or not; ArchiveInvalid or OSError."""
    if path.is_dir():
        return DirectoryContents(path)
    packed = Packed.of(path)
    return TarContents(packed) if packed.packing is Packing.PLAIN else PackedContents(packed)


def _enter(member: Member, sizes: dict[str, int], links: dict[str, str]) -> None:
    """Take in a member; of several by one name the first counts, but documents are there once."""
    if member.kind is Kind.DIRECTORY:
        return
    if member.name in sizes or member.name in links:
        if "/" not in member.name:
            raise ArchiveInvalid(f"it has {member.name[:200]!r} twice")
        return
    if member.kind is Kind.LINK:
        links[member.name] = member.target
    else:
        sizes[member.name] = member.size


def _check_length(members: Collection[Member], size: int) -> None:
    """Seeking past the end is no error: what is not there has to be found out otherwise."""
    for member in members:
        if member.offset + member.size > size:
            raise ArchiveInvalid(f"it ends in the middle of {member.name[:200]!r}")


def _pieces(read: Callable[[int], bytes], size: int, name: str) -> Pieces:
    left = size
    while left:
        data = read(min(left, CHUNK_BYTES))
        if not data:
            raise ArchiveInvalid(f"{name[:200]!r} has become shorter")
        left -= len(data)
        yield data


def _hash(pieces: Pieces) -> str:
    hasher = hashlib.sha256()
    for piece in pieces:
        hasher.update(piece)
    return hasher.hexdigest()
