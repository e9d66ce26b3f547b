"""Manifests while offline: an image that is not all here is refused before its first blob.

A node that is refused here says what is missing; one that is let in would fail half-way through a
pull, and say nothing.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from entrepot.errors import Incomplete, Offline, StoreError
from entrepot.mirror.manifests import Manifests, Served, log, title
from entrepot.mirror.names import ImageName
from entrepot.mirror.tags import Tags
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import is_index
from entrepot.oci.reference import Reference
from entrepot.store.children import NO_PLATFORM
from entrepot.store.closure import Closure
from entrepot.store.completeness import Completeness, PlatformState
from entrepot.store.record import Child
from entrepot.upstream.outbound import Outbound

REMEMBERED_S = 5.0
"""How long a verdict counts: while offline only a removal changes it."""
_MOST_REMEMBERED = 4096
_TOLD_DIGESTS = 3
_TOLD_PLATFORMS = 4


@dataclass(slots=True)
class OfflineDoor:
    """Answers for manifests in the place of `manifests` and `tags` while it is `shut`.

    A tag or an index is let through when one of its platforms is complete: which one the client
    wants is known only when it asks for that platform's manifest, which is judged by itself.
    `serves_incomplete` lets everything through that is here.
    """

    outbound: Outbound
    manifests: Manifests
    tags: Tags
    closure: Closure
    serves_incomplete: bool = False
    _judged: OrderedDict[Digest, tuple[float, Completeness]] = field(default_factory=OrderedDict)
    _leave: Callable[[], None] = field(init=False)

    def __post_init__(self) -> None:
        self._leave = self.outbound.on_offline(self._forget)

    def close(self) -> None:
        """Listen to the switch no more, which outlasts this and would keep it; call it once."""
        self._leave()

    @property
    def shut(self) -> bool:
        """Whether manifests have to be asked for here."""
        return self.outbound.offline

    async def manifest(self, image: ImageName, reference: Reference, deadline: float) -> Served:
        """The manifest, if enough of its image is here to be pulled.

        Raises Incomplete with what is missing, Offline when nothing is here.
        """
        try:
            served = await self._held(image, reference, deadline)
        except Offline as error:
            if not isinstance(reference, Digest):
                raise
            lost = Child(reference, "", -1)
            raise await self._objection(image, reference, lost) or error from error
        if self.serves_incomplete:
            return served
        held = served.manifest
        root = Child(held.digest, held.media_type, held.size)
        objection = await self._objection(image, reference, root, held)
        if objection is not None:
            raise objection
        return served

    async def _objection(
        self,
        image: ImageName,
        reference: Reference,
        root: Child,
        manifest: Manifest | None = None,
    ) -> Offline | None:
        """Why not to serve it; None also when that cannot be found out (P30)."""
        try:
            verdict = await self._judge(root, manifest)
            if verdict.pullable:
                return None
            return await self._refusal(image, reference, verdict)
        except StoreError as error:
            log.warning("image.not_judged", image=title(image, str(reference)), reason=str(error))
            return None

    async def _forget(self) -> None:
        self._judged.clear()

    async def _held(self, image: ImageName, reference: Reference, deadline: float) -> Served:
        if isinstance(reference, Digest):
            return await self.manifests.get(image, reference, deadline)
        return await self.tags.get(image, reference, deadline)

    async def _judge(self, root: Child, manifest: Manifest | None = None) -> Completeness:
        now = asyncio.get_running_loop().time()
        until, verdict = self._judged.get(root.digest, (0.0, None))
        if verdict is None or until <= now:
            verdict = await self.closure.check(root, manifest)
            self._judged[root.digest] = (now + REMEMBERED_S, verdict)
            self._judged.move_to_end(root.digest)
            if len(self._judged) > _MOST_REMEMBERED:
                self._judged.popitem(last=False)
        return verdict

    async def _refusal(
        self, image: ImageName, reference: Reference, verdict: Completeness
    ) -> Offline:
        """The error that tells what is missing, and which other platforms are complete."""
        name = title(image, str(reference))
        platforms = {state.platform for state in verdict.platforms}
        siblings: tuple[PlatformState, ...] = ()
        if isinstance(reference, Digest) and not is_index(verdict.media_type):
            for parent, platform in await self.closure.parents(reference):
                if platform not in {"", NO_PLATFORM}:
                    siblings = (await self._judge(parent)).platforms
                    platforms = {platform}
                    break
        states = [s for s in siblings if s.manifest == reference] or verdict.platforms
        if not siblings and all(state.lacks_manifest for state in states):
            return Offline(f"{name}: not here, and Entrepot is offline")
        return refusal(name, states, [s for s in siblings if s.complete], sorted(platforms))


def refusal(
    name: str,
    lacking: Iterable[PlatformState],
    complete: Iterable[PlatformState],
    asked: Iterable[str],
) -> Incomplete:
    """Write the refusal of an image, in words for people and in `detail` for programs.

    `lacking` is what the reference stands for, `complete` what else its index offers.
    """
    states, others = list(lacking), sorted({state.platform for state in complete})
    told = [_told(state) for state in states[:_TOLD_PLATFORMS]]
    if len(states) > _TOLD_PLATFORMS:
        told.append(f"and {len(states) - _TOLD_PLATFORMS} more platforms")
    if others:
        told.append(f"complete: {', '.join(others)}")
    return Incomplete(
        f"{name} is not complete here, and Entrepot is offline: {'; '.join(told)}",
        {
            "image": name,
            "asked": list(asked),
            "complete": others,
            "platforms": [_detail(state) for state in states],
        },
    )


def _told(state: PlatformState) -> str:
    who = f"{state.platform} lacks" if state.platform else "it lacks"
    if state.lacks_manifest:
        return f"{who} its manifest {state.manifest}"
    sizes = sum(max(one.size, 0) for one in state.missing)
    size = f" ({_written(sizes)})" if sizes else ""
    names = ", ".join(_names(state))
    return f"{who} {len(state.missing)} of {state.blobs} blobs{size}: {names}"


def _names(state: PlatformState) -> Iterator[str]:
    for one in state.missing[:_TOLD_DIGESTS]:
        yield str(one.digest)
    if len(state.missing) > _TOLD_DIGESTS:
        yield f"and {len(state.missing) - _TOLD_DIGESTS} more"


def _written(count: int) -> str:
    """A number of bytes as people read it."""
    size, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{count} B" if units[0] == "B" else f"{size:.1f} {units[0]}"


def _detail(state: PlatformState) -> dict[str, object]:
    return {
        "platform": state.platform,
        "manifest": str(state.manifest),
        "blobs": state.blobs,
        "bytesPresent": state.bytes_present,
        "bytesTotal": state.bytes_total,
        "missing": [
            {
                "digest": str(one.digest),
                "mediaType": one.media_type,
                "size": one.size if one.size >= 0 else None,
            }
            for one in state.missing
        ],
    }
