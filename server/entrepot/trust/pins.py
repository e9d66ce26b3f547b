"""Pins: the digest of a tag, known before anybody is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from entrepot.oci.digest import Digest
from entrepot.trust.pinfile import PinEntry, PinFile, PinsInvalid, Record, line_of, unpack


@dataclass(frozen=True, slots=True)
class Pin:
    """What a tag must be. `digests` begins with the one to be served.

    More than one digest means that each of them was the owner's at some time: any is right.
    """

    digests: tuple[Digest, ...]
    file: str = ""
    line: int = 0
    source: str = ""
    date: str = ""

    @property
    def digest(self) -> Digest:
        """The one to be served."""
        return self.digests[0]

    @property
    def where(self) -> str:
        """Where the pin is written, as `file:line`."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def allows(self, digest: Digest) -> bool:
        """Whether a digest is one of the pin's."""
        return digest in self.digests


@dataclass(frozen=True, slots=True)
class Pins:
    """Every pin there is; made by `combine`. In `files` an earlier one wins over a later one.

    Names are canonical: that k8s.gcr.io is registry.k8s.io is known to the caller, not here.
    """

    files: tuple[PinFile, ...] = ()

    def pin(self, registry: str, repository: str, tag: str) -> Pin | None:
        """Look a tag up; two dictionary look-ups for each file, a few microseconds in all."""
        name = f"{registry}/{repository}"
        for file in self.files:
            tags = file.tags.get(name)
            record = tags.get(tag) if tags is not None else None
            if record is not None:
                return Pin(unpack(record), file.name, line_of(record), file.source, file.date)
        return None

    def digest(self, registry: str, repository: str, tag: str) -> Digest | None:
        """Give the digest to be served for a tag, if it is pinned."""
        pin = self.pin(registry, repository, tag)
        return pin.digest if pin is not None else None

    def __len__(self) -> int:
        """Count pinned tags; linear."""
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[PinEntry]:
        """Give each pinned tag once, as the file that wins has it."""
        for index, file in enumerate(self.files):
            for entry in file:
                name = f"{entry.registry}/{entry.repository}"
                above = self.files[:index]
                if not any(entry.tag in earlier.tags.get(name, {}) for earlier in above):
                    yield entry


def combine(*ranks: Sequence[PinFile]) -> Pins:
    """Put files together: a rank wins over all later ones, as a user's lock over shipped pins.

    Files of one rank must not contradict each other; PinsInvalid names both places of each
    contradiction. The order of a pin's alternatives is no contradiction.
    """
    problems = [problem for rank in ranks for problem in _contradictions(rank)]
    if problems:
        raise PinsInvalid(problems)
    return Pins(tuple(file for rank in ranks for file in rank))


def _contradictions(files: Sequence[PinFile]) -> Iterable[str]:
    for index, file in enumerate(files):
        for other in files[:index]:
            for name in sorted(file.tags.keys() & other.tags.keys()):
                tags, others = file.tags[name], other.tags[name]
                for tag in sorted(tags.keys() & others.keys()):
                    if _differ(tags[tag], others[tag]):
                        yield (
                            f"{file.where(tags[tag])}: {name}:{tag} is {_told(tags[tag])} here,"
                            f" {_told(others[tag])} in {other.where(others[tag])}"
                        )


def _differ(one: Record, other: Record) -> bool:
    return set(unpack(one)) != set(unpack(other))


def _told(record: Record) -> str:
    return " or ".join(str(digest) for digest in unpack(record))
