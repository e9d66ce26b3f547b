"""The owner's bytes, made of what a mirror has under a tag: as they are, or written anew."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from entrepot.errors import AttemptError, MirrorNotFound
from entrepot.mirror.memory import ForAWhile
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, descriptors, read_manifest
from entrepot.oci.mediatype import document_type, is_index, read_document
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.trust.repair import Repaired, child_named, repair, repair_child, repair_index
from entrepot.upstream.mirror import MirrorClient

MOST_CHILDREN = 32
"""Manifests of one index that are fetched to have them written anew: each is a question."""

_IN_VAIN_S = 24 * 3600.0
_IN_VAIN_FOR_NOW_S = 600.0
_MOST_IN_VAIN = 10_000


@dataclass(frozen=True, slots=True)
class Restored:
    """A manifest with the digest that was wanted; `sent` is what the mirror has instead.

    `how` is for people, "" when it came as it should. `children` were restored on the way.
    """

    manifest: Manifest
    how: str = ""
    sent: Digest | None = None
    children: tuple[Manifest, ...] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known to be right: any of `digests`. `index` is a proved one that names them."""

    digests: frozenset[Digest]
    index: Manifest | None = None


@dataclass(slots=True)
class Restorer:
    """Writes manifests anew, one at a time, in a thread: a hostile one takes ten seconds of it.

    What was tried in vain is not tried again for a day, or for ten minutes where a mirror did not
    give all that it might be made of.
    """

    _one_at_a_time: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    _in_vain: ForAWhile[bool] = field(default_factory=lambda: ForAWhile(_MOST_IN_VAIN))

    async def restore(
        self,
        mirror: MirrorClient,
        repository: RepositoryName,
        received: Manifest,
        expected: Expected,
        *,
        ask: bool = True,
    ) -> Restored | None:
        """Make of what `mirror` gave for a tag what is expected; None when it cannot be done.

        With `ask` the mirror may be asked for what its index names. Raises nothing that a mirror
        could cause.
        """
        if received.digest in expected.digests:
            return Restored(received)
        key = (received.digest, expected.digests, ask)
        now = asyncio.get_running_loop().time()
        if self._in_vain.get(key, now):
            return None
        restored = await self._alone(received, expected)
        whole = True
        if restored is None and ask and is_index(received.media_type):
            restored, whole = await self._with_children(mirror, repository, received, expected)
        if restored is None:
            until = now + (_IN_VAIN_S if whole else _IN_VAIN_FOR_NOW_S)
            self._in_vain.put(key, value=True, now=now, until=until)
        return restored

    async def _alone(self, received: Manifest, expected: Expected) -> Restored | None:
        async with self._one_at_a_time:
            return await asyncio.to_thread(_restored, received, expected)

    async def _with_children(
        self,
        mirror: MirrorClient,
        repository: RepositoryName,
        received: Manifest,
        expected: Expected,
    ) -> tuple[Restored | None, bool]:
        """Restore by what the mirror's index names; False when the mirror did not give it all."""
        if expected.index is not None:
            return await self._child(mirror, repository, received, expected)
        children: dict[Digest, Manifest] = {}
        whole = True
        for child in descriptors(received)[:MOST_CHILDREN]:
            try:
                children[child.digest] = await mirror.get_manifest(repository, child.digest)
            except MirrorNotFound:  # left out: it is taken to be as the owner wrote it
                continue
            except AttemptError:
                whole = False
        async with self._one_at_a_time:
            restored = await asyncio.to_thread(_restored_index, received, expected, children)
        return restored, whole

    async def _child(
        self,
        mirror: MirrorClient,
        repository: RepositoryName,
        received: Manifest,
        expected: Expected,
    ) -> tuple[Restored | None, bool]:
        """Restore one manifest of a proved index from the mirror's for the same platform."""
        assert expected.index is not None
        named = [child_named(expected.index, digest) for digest in expected.digests]
        # Without the variant, which some programs add and others leave out.
        platforms = {_machine(child) for child in named if child is not None}
        whole = True
        for child in descriptors(received)[:MOST_CHILDREN]:
            if _machine(child) not in platforms:
                continue
            try:
                theirs = await mirror.get_manifest(repository, child.digest)
            except AttemptError:
                whole = False
                continue
            restored = await self._alone(theirs, expected)
            if restored is not None:
                return restored, True
        return None, whole


async def from_tags(
    restorer: Restorer,
    mirror: MirrorClient,
    repository: RepositoryName,
    tags: Sequence[Tag],
    expected: Expected,
) -> tuple[Restored | None, Manifest | None]:
    """Look under tags for what is expected; also gives the last manifest that was found instead.

    Raises AttemptError as the mirror's answers do, the last one of them.
    """
    received: Manifest | None = None
    failure: AttemptError | None = None
    for tag in tags:
        try:
            received = await mirror.get_manifest(repository, tag)
        except AttemptError as error:
            failure = error
            continue
        restored = await restorer.restore(mirror, repository, received, expected)
        if restored is not None:
            return restored, received
    if received is None and failure is not None:
        raise failure
    return None, received


def _machine(child: Descriptor) -> tuple[str, str]:
    platform = child.platform
    return ("", "") if platform is None else (platform.os, platform.architecture)


def _restored(received: Manifest, expected: Expected) -> Restored | None:
    if expected.index is not None:
        found = repair_child(expected.index, received)
        if found is None or found.digest not in expected.digests:
            return None
    else:
        found = repair(received.body, expected.digests)
        if found is None:
            return None
    return Restored(_manifest(found, received), _how(found), received.digest)


def _restored_index(
    received: Manifest, expected: Expected, children: Mapping[Digest, Manifest]
) -> Restored | None:
    bodies = {digest: child.body for digest, child in children.items()}
    found = repair_index(received.body, expected.digests, bodies)
    if found is None:
        return None
    restored = tuple(
        _manifest(repaired, children[digest]) for digest, repaired in found.children.items()
    )
    manifest = _manifest(found.index, received)
    return Restored(manifest, f"{_how(found.index)}, with its manifests", received.digest, restored)


def _manifest(repaired: Repaired, received: Manifest) -> Manifest:
    """Make the manifest; the type that its own bytes tell counts more than the mirror's header."""
    media_type = document_type(read_document(repaired.body), received.media_type)
    return read_manifest(repaired.body, media_type, expected=repaired.digest)


def _how(repaired: Repaired) -> str:
    return f"re-serialised by the mirror, restored: {repaired.form}"


def any_of(digests: Collection[Digest]) -> Expected:
    """Expect one of some digests, of which nothing more is known."""
    return Expected(frozenset(digests))
