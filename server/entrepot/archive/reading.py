"""Which kind of archive a file is, and what is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from entrepot.archive.carried import Carried, Part
from entrepot.archive.contents import Contents, Pieces, open_contents
from entrepot.archive.layout import INDEX, SAVED, read_layout
from entrepot.archive.saved import read_saved
from entrepot.errors import ArchiveInvalid


@dataclass(frozen=True, slots=True)
class Archive:
    """What is in a file; the file itself is read again for the blobs."""

    contents: Contents
    images: tuple[Carried, ...]

    def blobs(self, wanted: Iterable[Part]) -> Iterator[tuple[Part, Pieces]]:
        """Go through the wanted blobs once, each with its bytes; take them before going on.

        Nothing proves the bytes here. ArchiveInvalid or OSError when the file has changed.
        """
        parts = {part.member: part for part in wanted}
        for member, pieces in self.contents.walk(parts):
            yield parts[member], pieces


def read_archive(path: Path) -> Archive:
    """Find out what is in a file or directory; ArchiveInvalid, with words for a person, OSError."""
    contents = open_contents(path)
    if INDEX in contents:
        return Archive(contents, read_layout(contents))
    if SAVED in contents:
        return Archive(contents, read_saved(contents))
    if "repositories" in contents:
        raise ArchiveInvalid("it was saved by a docker before 1.10: load it and save it again")
    deeper = sorted(name for name in contents.sizes if name.endswith((f"/{INDEX}", f"/{SAVED}")))
    if deeper:
        inside = deeper[0].rpartition("/")[0]
        raise ArchiveInvalid(f"its images are in {inside[:200]!r}: pack what is in there, not that")
    raise ArchiveInvalid(
        "there are no images in it: neither index.json (ctr, skopeo, podman, docker since 25)"
        " nor manifest.json (docker save, k3s)"
    )
