"""One pass over the cache that takes out whole images, stalest first, until there is room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from entrepot.mirror.accounts import Accounts
from entrepot.mirror.keeping import Keeping
from entrepot.mirror.leases import Leases
from entrepot.mirror.takeout import TakeOut
from entrepot.mirror.turns import Turns
from entrepot.oci.digest import Digest
from entrepot.store.candidates import (
    PAGE_PARTS,
    PAGE_ROOTS,
    Candidate,
    Part,
    Root,
    read_candidates,
    read_roots,
)
from entrepot.store.eviction import Image, choose_victims

WARM_S = 60.0
"""An image used so lately may be in the middle of a pull, between two of its layers."""
PULL_S = 3600.0
"""One used so lately may be what somebody reads a shared layer for."""
_IMAGES_AT_A_TIME = 4
_REST, _LONGEST_REST_S = 3, 0.5


@dataclass(frozen=True, slots=True)
class Evicted:
    """What a pass removed; `images` counts blobs that belonged to none as well."""

    images: int = 0
    blobs: int = 0
    partials: int = 0
    bytes: int = 0

    def __add__(self, other: Evicted) -> Evicted:
        return Evicted(
            self.images + other.images,
            self.blobs + other.blobs,
            self.partials + other.partials,
            self.bytes + other.bytes,
        )

    def __sub__(self, other: Evicted) -> Evicted:
        return self + Evicted(-other.images, -other.blobs, -other.partials, -other.bytes)


@dataclass(frozen=True, slots=True)
class NextToGo:
    """An image that eviction would take, by all its names; `bytes` are of what only it needs."""

    names: tuple[str, ...]
    bytes: int
    used_at: float


@dataclass(slots=True)
class Evictor:
    """Carries out one pass; `clock` is the wall clock, `wanted` the bytes still to be freed.

    Images are looked at in pages, in order of use. One of a page goes only if none on later pages
    can be staler: those are younger, so their staleness is at most the age of the page's youngest.
    What costs more to get again is carried on to the next page. `loose` are blobs that no manifest
    lists, in order of use: each is an image of its own. `warm`: images used a moment ago
    may go too, but never one of which a blob of its own is being read or fetched.
    """

    accounts: Accounts
    leases: Leases
    keeping: Keeping
    cost: Callable[[Iterable[Part]], float]
    clock: Callable[[], float]
    forget: Callable[[Iterable[Digest]], None]
    told: Callable[[Evicted], None]
    wanted: Callable[[], int]
    loose: list[Root] = field(default_factory=list)
    warm: bool = False
    _after: Root | None = None
    _take_out: TakeOut = field(init=False)
    _turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        self._turns = Turns(lambda: self.accounts.urgent)
        self._take_out = TakeOut(self.accounts, self.leases, self.clock, self.forget)

    async def run(self) -> None:
        """Evict until nothing more is wanted, or nothing more may go. Raises StoreError."""
        carried: list[Root] = []
        more = True
        while more and self.wanted() > 0:
            page, youngest = await self._page()
            more = youngest is not None
            if roots := [*carried, *page]:
                carried = await self._from(roots, youngest)

    async def stalest(self, most: int) -> tuple[NextToGo, ...]:
        """Tell what would go first, among those not used for longest. Raises StoreError."""
        page, _ = await self._page()
        candidates = await read_candidates(self.accounts.catalog, page)
        now = self.clock()
        by_root = {one.root.digest: one for one in candidates}
        images = [one for one in await self._images(candidates, now) if not one.spared]
        images.sort(key=lambda image: -image.staleness(now))
        return tuple(_next_to_go(image, by_root[image.root]) for image in images[:most])

    async def _page(self) -> tuple[list[Root], float | None]:
        """Read on; the youngest's time of use, or None when nothing comes after."""
        roots = await read_roots(self.accounts.catalog, self._after)
        more = bool(roots)
        due = [one for one in self.loose if not more or one.used_at <= roots[-1].used_at]
        if len(due) > PAGE_ROOTS:
            due, roots = due[:PAGE_ROOTS], []
            self.loose = self.loose[PAGE_ROOTS:]
            return due, due[-1].used_at
        self.loose = self.loose[len(due) :]
        self._after = roots[-1] if roots else self._after
        return [*roots, *due], roots[-1].used_at if more else None

    async def _from(self, roots: Sequence[Root], youngest: float | None) -> list[Root]:
        """Evict among `roots`; returns those that a later page may have staler ones than."""
        catalog = self.accounts.catalog
        candidates = await read_candidates(catalog, roots, self._turns.pause)
        now = self.clock()
        floor = now - youngest if youngest is not None else 0.0
        images = await self._images(candidates, now)
        images.sort(key=lambda image: image.staleness(now))
        later = [one for one in images if not one.spared and one.staleness(now) < floor]
        waits = {image.root for image in _carried(later)}
        among = [replace(one, spared=True) if one.root in waits else one for one in images]
        sizes = {part.digest: part.size for one in candidates for part in one.parts.values()}
        named = {one.root.digest: len(one.names) for one in candidates}
        shared = {part.digest for one in candidates for part in one.parts.values() if part.shared}
        await self._turns.pause()
        victims = choose_victims(among, sizes, self.wanted(), now, shared)
        await self._turns.pause()
        for start in range(0, len(victims), _IMAGES_AT_A_TIME):
            if self.wanted() <= 0:
                break
            began = asyncio.get_running_loop().time()
            await self._remove(victims[start : start + _IMAGES_AT_A_TIME], sizes, named)
            await self._rest(asyncio.get_running_loop().time() - began)
        return [one.root for one in candidates if one.root.digest in waits]

    async def _images(self, candidates: Sequence[Candidate], now: float) -> list[Image]:
        listed: dict[str, int] = {}
        for candidate in candidates:
            for digest in candidate.parts:
                listed[digest] = listed.get(digest, 0) + 1
        busy = {str(digest) for digest in self._take_out.busy()}
        images = []
        for candidate in candidates:
            await self._turns.pause()
            images.append(self._image(candidate, listed, busy, now))
        return images

    def _image(
        self, candidate: Candidate, listed: dict[str, int], busy: set[str], now: float
    ) -> Image:
        parts = candidate.parts
        own = frozenset(
            part.digest for part in parts.values() if not part.shared and listed[part.digest] == 1
        )
        root_used = candidate.root.used_at
        used_at = max([root_used, *(parts[digest].used_at for digest in own)])
        maybe_pulled = now - root_used < PULL_S and not busy.isdisjoint(parts)
        warm = now - used_at < WARM_S or maybe_pulled
        spared = (
            not any(part.size for part in parts.values())
            or not busy.isdisjoint(own)
            or (warm and not self.warm)
            or self.keeping.keeps(candidate)
        )
        cost = 1.0 if spared else self.cost(parts.values())
        return Image(candidate.root.digest, used_at, frozenset(parts), own, cost, spared)

    async def _remove(
        self, victims: Sequence[Image], sizes: dict[str, int], named: dict[str, int]
    ) -> None:
        """Rows first, then files; whoever wants to put one of them back waits for the end."""
        own = {image.root: [Digest.parse(part) for part in image.own] for image in victims}
        # From here to the request there is no await: what comes into use now, comes too late.
        busy = self._take_out.busy()
        going = [image for image in victims if self._may_go(own[image.root], busy)]
        if not going:
            return
        parts = {Digest.parse(part): sizes[part] for image in going for part in image.parts}
        roots = [Digest.parse(image.root) for image in going]
        known = {root: named[str(root)] for root in roots}
        taken = await self._take_out.images(roots, parts, known)
        self.told(Evicted(images=len(going), blobs=len(taken.blobs), bytes=taken.bytes))

    def _may_go(self, own: Sequence[Digest], busy: set[Digest]) -> bool:
        if not busy.isdisjoint(own):
            return False
        return self.warm or not any(map(self.accounts.catalog.just_used, own))

    async def _rest(self, worked_s: float) -> None:
        """Leave processor and disk to others for three quarters of the time, if nobody waits."""
        rest_s = 0.0 if self.accounts.urgent else min(_REST * worked_s, _LONGEST_REST_S)
        await asyncio.sleep(rest_s)


def _next_to_go(image: Image, candidate: Candidate) -> NextToGo:
    root = candidate.root
    names = [f"{registry}/{repository}:{tag}" for registry, repository, tag in candidate.names]
    if not names:
        names = [
            f"{root.registry}/{root.repository}@{root.digest}" if root.registry else root.digest
        ]
    freed = sum(part.size for part in candidate.parts.values() if part.digest in image.own)
    return NextToGo(tuple(sorted(names)), freed, image.used_at)


def _carried(later: Sequence[Image]) -> Sequence[Image]:
    """As many as a page has, the first ones: what is not carried on may go with this page."""
    parts = accumulate(len(image.parts) for image in later)
    most = sum(so_far <= PAGE_PARTS for so_far in parts)
    return later[: min(most, PAGE_ROOTS)]
