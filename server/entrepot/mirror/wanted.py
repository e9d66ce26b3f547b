"""What a fill is to bring, and how long it tries."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.mirror.registry import Registry
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName

HELD_BACK_BYTES = 256 * 1024
"""Withheld from every reader until the digest verifies; blobs below it are never half-served."""


@dataclass(frozen=True, slots=True)
class FillRules:
    """How long a fill tries, in seconds.

    `give_up_s` counts from the last new byte and only after some mirror had answered: readers are
    waiting for the rest then, and a mirror that comes back in time loses them nothing.
    """

    headers_s: float
    overtake_s: float
    give_up_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch and in whose name: the repository decides what each mirror calls it.

    `prefer` is the mirror whose manifest names the digest (U-11), `expected_size` what that
    manifest says of it, in bytes. `private` keeps it from public registries (P27).
    """

    digest: Digest
    registry: Registry
    repository: RepositoryName
    prefer: str | None = None
    expected_size: int | None = None
    private: bool = False

    @property
    def title(self) -> str:
        """How a person would write it."""
        return f"{self.registry.name}/{self.repository}@{self.digest}"

    def is_of(self, registry: str, repository: RepositoryName) -> bool:
        """Whether mirrors are asked in that name, so that what they say goes for it."""
        return (self.registry.name, self.repository) == (registry, repository)
