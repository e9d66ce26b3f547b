"""What the catalog knows about a tag and about a manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag

TagKey: TypeAlias = tuple[str, RepositoryName, Tag]


@dataclass(frozen=True, slots=True)
class Child:
    """What a manifest says of something it points at; `size` is bytes.

    `platform` is as an index writes it, os/architecture/variant, "" where it says none. `inline`:
    its content stands in the manifest itself, so that nobody needs the blob (F-7); the catalog
    does not keep that, nor children whose size no manifest tells: theirs is -1 (F-3).
    """

    digest: Digest
    media_type: str
    size: int
    platform: str = ""
    inline: bool = False


@dataclass(frozen=True, slots=True)
class TagRecord:
    """What a tag was last seen to mean; `mirror` is who said so (U-11).

    `checked_at` is seconds of the epoch, `size` the manifest's bytes, `level` how well the digest
    is vouched for, a `trust.Level` as a number. `vetted` is for memory only: the number of the
    pins and policies that it was last held against, since they may be others now; 0 for none.
    """

    registry: str
    repository: RepositoryName
    tag: Tag
    digest: Digest
    media_type: str
    size: int
    checked_at: float
    mirror: str
    level: int = 1
    vetted: int = field(default=0, compare=False)

    @property
    def key(self) -> TagKey:
        """What the record is about."""
        return self.registry, self.repository, self.tag


@dataclass(frozen=True, slots=True)
class ManifestRecord:
    """A manifest whose bytes are in the blob store; `mirror` is where they came from.

    `registry` and `repository` are the name it was first got under, `used_at` when it or something
    it lists was last asked for, in seconds of the epoch.
    """

    digest: Digest
    media_type: str
    size: int
    mirror: str
    registry: str = ""
    repository: str = ""
    used_at: float = 0.0


@dataclass(frozen=True, slots=True)
class BlobRecord:
    """A file below `blobs/`; `size` is bytes, the times are seconds of the epoch.

    `registry` is whose mirrors gave it, `mirror` which ones, and `seconds` is how long that took:
    what it would cost to get it again. They are empty and 0 when nobody knows.
    """

    digest: Digest
    size: int
    added_at: float
    used_at: float
    registry: str = ""
    mirror: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Removed:
    """What left the catalog in one transaction; the files of `blobs` are still there."""

    tags: tuple[TagKey, ...]
    manifests: tuple[Digest, ...]
    blobs: tuple[tuple[Digest, int], ...]

    @property
    def bytes(self) -> int:
        """The sizes of the blobs, added up."""
        return sum(size for _, size in self.blobs)


@dataclass(frozen=True, slots=True)
class Totals:
    """How many files there are below `blobs/`, and how many bytes, as the catalog knows it."""

    blobs: int = 0
    bytes: int = 0
