"""What the catalog knows about a tag and about a manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag

TagKey: TypeAlias = tuple[str, RepositoryName, Tag]
Child: TypeAlias = tuple[Digest, str, int]
"""Digest, media type and size in bytes, as a manifest says them."""


@dataclass(frozen=True, slots=True)
class TagRecord:
    """What a tag was last seen to mean; `mirror` is who said so (U-11).

    `checked_at` is seconds of the epoch, `size` the manifest's bytes.
    """

    registry: str
    repository: RepositoryName
    tag: Tag
    digest: Digest
    media_type: str
    size: int
    checked_at: float
    mirror: str

    @property
    def key(self) -> TagKey:
        """What the record is about."""
        return self.registry, self.repository, self.tag


@dataclass(frozen=True, slots=True)
class ManifestRecord:
    """A manifest whose bytes are in the blob store; `mirror` is where they came from."""

    digest: Digest
    media_type: str
    size: int
    mirror: str
