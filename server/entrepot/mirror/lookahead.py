"""Layers of a manifest that a client has just been given, before it asks for them.

Also for the other platforms that clients on this LAN have asked for: what one node pulls, the next
one will. Only what nobody has to wait for because of it, and what there is room for as it is.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from entrepot.errors import EntrepotError
from entrepot.mirror.courtesy import Courtesy
from entrepot.mirror.fills import Fills
from entrepot.mirror.names import ImageName
from entrepot.mirror.prefetch import AT_A_TIME, Means, blobs_of
from entrepot.mirror.watermarks import LOW_MARK, free_wanted
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import is_index
from entrepot.store.children import NO_PLATFORM, children_of
from entrepot.tasks import TaskOwner

REPEATED_AFTER_S = 600.0
"""A manifest that is served again and again is looked at so often."""
_MOST_REMEMBERED = 4096
_MOST_PLATFORMS = 16
_MOST_WISHES = 512

K = TypeVar("K")
V = TypeVar("V")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """Something that may be asked for next; `is_manifest`: and then what it names."""

    image: ImageName
    digest: Digest
    size: int
    is_manifest: bool = False


@dataclass(slots=True)
class LookAhead:
    """Owns what it has begun; `aclose` ends it. Lives on the loop, over changes of the settings.

    It does nothing until `follow` has told what to fetch with.
    `platforms` are those whose manifests clients have asked for, the latest last; they are learned
    anew after a restart, from the first pull.
    """

    fills: Fills
    courtesy: Courtesy = field(init=False)
    platforms: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _children: OrderedDict[Digest, str] = field(default_factory=OrderedDict)
    _looked: OrderedDict[Hashable, float] = field(default_factory=OrderedDict)
    _wishes: deque[Wish] = field(default_factory=deque)
    _owner: TaskOwner = field(default_factory=lambda: TaskOwner("look-ahead"))
    _means: Means | None = None
    _working: int = 0
    _closed: bool = False

    def __post_init__(self) -> None:
        self.courtesy = Courtesy(self.fills)

    def follow(self, means: Means | None) -> None:
        """Fetch with these from now on; None: nothing more."""
        self._means = means
        if means is None:
            self._wishes.clear()

    def served(self, image: ImageName, manifest: Manifest) -> None:
        """A client has got the bytes of `manifest`: see what it will want next. No await."""
        if self._means is None or self._closed:
            return
        platform = self._children.get(manifest.digest)
        if platform:
            _put(self.platforms, platform, None, _MOST_PLATFORMS)
        index = is_index(manifest.media_type)
        key = (image.registry, image.repository, manifest.digest, index and len(self.platforms))
        now = asyncio.get_running_loop().time()
        if now - self._looked.get(key, -REPEATED_AFTER_S) < REPEATED_AFTER_S:
            return
        registry = self._means.blobs.registries.get(image.registry)
        if registry is None or registry.offline:
            return
        _put(self._looked, key, now, _MOST_REMEMBERED)
        if index:
            self._learn(manifest)
        self._wish(image, manifest)

    async def settled(self) -> None:
        """Wait until all that has been begun has ended, in one way or the other."""
        while self._working:
            await self._owner.settled()

    async def interrupt(self) -> None:
        """Stop what is in progress, and forget what was to come: nothing may go out any more."""
        self._wishes.clear()
        await self._owner.cancel()
        self._working = 0
        self._looked.clear()

    async def aclose(self) -> None:
        """End for good; what it has brought of a blob stays."""
        self._closed = True
        self._wishes.clear()
        await self._owner.aclose()

    def _learn(self, index: Manifest) -> None:
        for child in children_of(index):
            if child.platform not in {"", NO_PLATFORM}:
                _put(self._children, child.digest, child.platform, _MOST_REMEMBERED)

    def _wish(self, image: ImageName, manifest: Manifest) -> None:
        if is_index(manifest.media_type):
            wishes = [
                Wish(image, child.digest, child.size, is_manifest=True)
                for child in children_of(manifest)
                if child.platform in self.platforms
            ]
        else:
            wishes = [Wish(image, child.digest, child.size) for child in blobs_of(manifest)]
        self._wishes.extend(wishes[: _MOST_WISHES - len(self._wishes)])
        while self._working < min(AT_A_TIME, len(self._wishes)):
            self._working += 1
            _ = self._owner.start(self._work(), name=str(manifest.digest))

    async def _work(self) -> None:
        try:
            while self._wishes:
                wish = self._wishes.popleft()
                try:
                    outcome = await self._bring(wish)
                except EntrepotError as error:
                    outcome = "failed"
                    log.info("look_ahead.failed", digest=str(wish.digest), reason=str(error))
                if outcome:
                    self.fills.metrics.look_ahead.labels(outcome).inc()
        finally:
            self._working -= 1

    async def _bring(self, wish: Wish) -> str:
        """Bring one wish, if it is not here; tell what became of it, "" if there was no need."""
        if not wish.is_manifest:
            return await self._bring_blob(wish)
        await self.courtesy.turn()
        if (means := self._asked(wish)) is None:
            return ""
        with means.use:
            found = await means.manifests.get(wish.image, wish.digest, means.deadline())
        self._wish(wish.image, found.manifest)
        return ""

    async def _bring_blob(self, wish: Wish) -> str:
        while True:
            await self.courtesy.turn()
            here = await self.fills.store.size(wish.digest) is not None
            means = self._asked(wish)
            if here or means is None or self.fills.get(wish.digest) is not None:
                return ""
            if not self._has_room(wish.size):
                log.info("look_ahead.no_room", digest=str(wish.digest), size=wish.size)
                return "no_room"
            with means.use:
                fill = await means.blobs.fetch(wish.image, wish.digest, means.deadline())
            if fill is None:
                return ""
            if await self.courtesy.watch(fill):
                if fill.error is not None:
                    raise fill.error
                self.fills.metrics.look_ahead_bytes.inc(fill.size or 0)
                return "fetched"

    def _asked(self, wish: Wish) -> Means | None:
        """Whom to ask: the settings may have changed since it was wished for."""
        means = self._means
        served = means is not None and wish.image.registry in means.blobs.registries
        return means if served else None

    def _has_room(self, size: int) -> bool:
        """Whether `size` bytes may be kept without anything going for them, now or soon."""
        room = self.fills.room
        limits, usage = room.limits, room.accounts.usage()
        there = usage.kept + usage.left + usage.coming + size
        if limits.max_size is not None and there > LOW_MARK * limits.max_size:
            return False
        if usage.free is None:
            return True
        return usage.free - usage.unwritten - size >= free_wanted(limits.min_free, usage.disk)


def _put(table: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    """Put it last, and let the oldest go when there are too many."""
    table[key] = value
    table.move_to_end(key)
    while len(table) > most:
        table.popitem(last=False)
