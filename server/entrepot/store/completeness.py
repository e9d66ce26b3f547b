"""Whether all of an image is here, platform by platform: pure, from what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import is_foreign, is_index, is_manifest
from entrepot.store.children import NO_PLATFORM
from entrepot.store.record import Child

_DEPTH = 4
"""An index may list indexes; deeper ones than anybody has seen are cut off, circles with them."""


@dataclass(frozen=True, slots=True)
class Held:
    """A manifest that is here. `platform` is what its config says, "" when that is not known."""

    media_type: str
    children: tuple[Child, ...]
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that an image needs and that is not here; `size` is -1 where nobody told it."""

    digest: Digest
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class PlatformState:
    """How much of one platform's image is here: its manifest, config and layers.

    `platform` is such as linux/arm64/v8, "" for an artifact or where nothing tells it. `blobs`
    counts what the manifest lists, and `bytes_total` what is known of it: with the manifest not
    here, only the manifest.
    """

    platform: str
    manifest: Digest
    missing: tuple[Missing, ...]
    blobs: int
    bytes_present: int
    bytes_total: int

    @property
    def complete(self) -> bool:
        """Whether it can be pulled from here without anybody else."""
        return not self.missing

    @property
    def lacks_manifest(self) -> bool:
        """Whether not even its manifest is here."""
        return any(one.digest == self.manifest for one in self.missing)


@dataclass(frozen=True, slots=True)
class Completeness:
    """The platforms of what a tag or a digest stands for, in lexical order.

    Attestations are not among them (F-5). `bytes_present` counts each blob once.
    """

    digest: Digest
    media_type: str
    platforms: tuple[PlatformState, ...]
    bytes_present: int

    @property
    def complete(self) -> bool:
        """Whether every platform is."""
        return all(state.complete for state in self.platforms)

    @property
    def pullable(self) -> bool:
        """Whether some platform is complete: a client that asks by tag may mean that one."""
        return not self.platforms or any(state.complete for state in self.platforms)


def judge(root: Child, held: Mapping[Digest, Held], present: Mapping[Digest, int]) -> Completeness:
    """Tell how complete `root` is.

    `held` are the manifests that are here, `present` the sizes of all files that are. A child
    counts as here when it is in `present`; a manifest must be in both.
    """
    states = sorted(_states(root, held, present, _DEPTH), key=lambda state: state.platform)
    known = held.get(root.digest)
    seen = set(_reachable(root, held, _DEPTH))
    return Completeness(
        digest=root.digest,
        media_type=known.media_type if known is not None else root.media_type,
        platforms=tuple(states),
        bytes_present=sum(present.get(digest, 0) for digest in seen),
    )


def _states(
    node: Child, held: Mapping[Digest, Held], present: Mapping[Digest, int], depth: int
) -> Iterator[PlatformState]:
    here = node.digest in present
    known = held.get(node.digest) if here else None
    if known is None and here and not is_manifest(node.media_type):
        yield _state(node, Held(node.media_type, ()), present)  # caches list blobs like that
    elif known is None:
        lost = Missing(node.digest, node.media_type, node.size)
        yield PlatformState(node.platform, node.digest, (lost,), 0, 0, max(node.size, 0))
    elif is_index(known.media_type):
        for child in known.children if depth else ():
            if child.platform != NO_PLATFORM:
                yield from _states(child, held, present, depth - 1)
    else:
        yield _state(node, known, present)


def _state(node: Child, known: Held, present: Mapping[Digest, int]) -> PlatformState:
    needed = {c.digest: c for c in known.children if not (c.inline or is_foreign(c.media_type))}
    here = {digest: present[digest] for digest in needed if digest in present}
    size = present[node.digest]
    missing = tuple(
        Missing(c.digest, c.media_type, c.size) for c in needed.values() if c.digest not in here
    )
    return PlatformState(
        platform=node.platform or known.platform,
        manifest=node.digest,
        missing=missing,
        blobs=len(needed),
        bytes_present=size + sum(here.values()),
        bytes_total=size + sum(here.values()) + sum(max(one.size, 0) for one in missing),
    )


def _reachable(node: Child, held: Mapping[Digest, Held], depth: int) -> Iterator[Digest]:
    yield node.digest
    known = held.get(node.digest)
    if known is None:
        return
    for child in known.children:
        if depth and is_manifest(child.media_type):
            yield from _reachable(child, held, depth - 1)
        else:
            yield child.digest
