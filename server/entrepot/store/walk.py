"""What lies below `blobs/`, part by part, compared with what the catalog says lies there.

Everything here blocks and runs in threads.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from entrepot.errors import DigestInvalid
from entrepot.oci.digest import ALGORITHMS, Digest
from entrepot.store.layout import Layout


@dataclass(frozen=True, slots=True)
class Found:
    """A file below `blobs/`; `size` is bytes, `mtime` seconds of the epoch."""

    digest: Digest
    size: int
    mtime: float


@dataclass(frozen=True, slots=True)
class Part:
    """One directory of blobs, the digests of which begin alike."""

    algorithm: str
    prefix: str

    @property
    def range(self) -> tuple[str, str]:
        """From which digest, as text, up to which."""
        start = f"{self.algorithm}:{self.prefix}"
        return start, f"{start}g"  # comes after every hex digit


@dataclass(frozen=True, slots=True)
class Listing:
    """What one directory holds; `odd` does not belong there."""

    found: Mapping[Digest, Found] = field(default_factory=dict)
    odd: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a directory and the catalog disagree."""

    unknown: tuple[Found, ...] = ()
    lost: tuple[Digest, ...] = ()
    resized: tuple[Digest, ...] = ()


def parts() -> Iterator[Part]:
    """Every part there can be, of each algorithm, in order."""
    for algorithm in ALGORITHMS:
        for number in range(256):
            yield Part(algorithm, f"{number:02x}")


def strays(layout: Layout) -> tuple[Path, ...]:
    """List what lies above the parts and is none."""
    known = {layout.blobs / part.algorithm / part.prefix for part in parts()}
    tops = {path.parent for path in known}
    found = [path for path in _entries(layout.blobs) if path not in tops or not _is_directory(path)]
    for top in tops:
        if _is_directory(top):
            found += [p for p in _entries(top) if p not in known or not _is_directory(p)]
    return tuple(sorted(found))


def listed(layout: Layout, part: Part) -> Listing:
    """Look at every file of a part."""
    found: dict[Digest, Found] = {}
    odd: list[Path] = []
    try:
        with os.scandir(layout.blobs / part.algorithm / part.prefix) as entries:
            for entry in entries:
                one = _judged(part, entry)
                if isinstance(one, Found):
                    found[one.digest] = one
                elif one is not None:
                    odd.append(one)
    except (FileNotFoundError, NotADirectoryError):
        pass
    return Listing(found, tuple(sorted(odd)))


def _judged(part: Part, entry: os.DirEntry[str]) -> Found | Path | None:
    """Tell what a name is: a blob, something odd, or None when it is gone again."""
    if not entry.name.startswith(part.prefix):
        return Path(entry.path)
    try:
        digest = Digest(part.algorithm, entry.name)
        status = entry.stat(follow_symlinks=False)
    except DigestInvalid:
        return Path(entry.path)
    except FileNotFoundError:
        return None
    # empty is what a power cut makes of a file on some file systems
    empty = status.st_size == 0 and not digest.matches(b"")
    if empty or not stat.S_ISREG(status.st_mode):
        return Path(entry.path)
    return Found(digest, status.st_size, status.st_mtime)


def compared(layout: Layout, listing: Listing, rows: Mapping[Digest, int]) -> Difference:
    """Tell where they disagree; `rows` are sizes in bytes, read after the listing was made."""
    found = listing.found
    return Difference(
        unknown=tuple(each for digest, each in found.items() if digest not in rows),
        lost=tuple(d for d in rows if d not in found and not exists(layout, d)),
        resized=tuple(d for d, size in rows.items() if d in found and found[d].size != size),
    )


def exists(layout: Layout, digest: Digest) -> bool:
    """Whether its file is there now."""
    return os.path.lexists(layout.blob(digest))


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False
