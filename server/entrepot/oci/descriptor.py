"""A descriptor: what a manifest says about something it points at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from entrepot.oci.digest import Digest


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """What a manifest of an index runs on."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pointer to content by digest; `size` is in bytes. Annotations take no part in hash().

    `inline`: the content itself stands in the descriptor, and clients do not ask for it (F-7).
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    artifact_type: str = ""
    inline: bool = False
