"""Lock files: pins made of what is held, to be kept in git beside what uses the images.

A lock file is a file of pins (`pinfile`), read by the same loader, and wins over shipped pins.
At the end of each line stands how well its digest was vouched for when the lock was made, for
whoever reviews it; from then on the lock itself vouches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.trust.level import Level
from entrepot.trust.pinfile import PinEntry, PinFile, write_pin_file

_COMMENT = (
    "Digests that tags are locked to: mirrors are asked for these and for nothing else.",
    "Made by Entrepot; keep it in git. Behind each digest stands what vouched for it.",
)


@dataclass(frozen=True, slots=True)
class Moved:
    """A tag that is locked to another digest than before."""

    image: str
    before: tuple[Digest, ...]
    now: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class LockChanges:
    """What a new lock has that an old one has not, and the reverse; in the order of names."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    moved: tuple[Moved, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.moved)

    def lines(self) -> list[str]:
        """Write the changes for a person, one a line."""
        return [
            *(f"+ {image}" for image in self.added),
            *(f"- {image}" for image in self.removed),
            *(f"! {move.image}: {_told(move.before)} -> {_told(move.now)}" for move in self.moved),
        ]


def lock_entry(
    registry: str, repository: RepositoryName, tag: Tag, digest: Digest, level: Level
) -> PinEntry:
    """Make one line of a lock; `level` is how well the digest is vouched for now."""
    return PinEntry(registry, repository, str(tag), (digest,), str(level))


def write_lock(entries: Iterable[PinEntry], *, made_from: str, made_at: datetime) -> str:
    """Write a lock file. `made_from` says whose cache or which list; ValueError without a zone."""
    if made_at.tzinfo is None:
        raise ValueError("a lock wants a time with its zone")
    date = made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return write_pin_file(entries, source=made_from, date=date, comment=_COMMENT)


def compare_locks(before: PinFile, entries: Iterable[PinEntry]) -> LockChanges:
    """Tell what a lock made of `entries` would change.

    Without a change the file is better left alone: writing it would only change its date.
    """
    old = {entry.image: entry.digests for entry in before}
    new = {entry.image: entry.digests for entry in entries}
    moved = (
        Moved(image, old[image], new[image])
        for image in sorted(old.keys() & new.keys())
        if old[image] != new[image]
    )
    return LockChanges(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        moved=tuple(moved),
    )


def _told(digests: tuple[Digest, ...]) -> str:
    return " or ".join(map(str, digests))
