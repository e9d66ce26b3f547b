"""When to evict: one pass at a time, in a task that nobody who waits for it can cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from entrepot.errors import StoreError
from entrepot.mirror.accounts import Accounts
from entrepot.mirror.evictor import WARM_S, Evicted, Evictor, NextToGo
from entrepot.mirror.keeping import Keeping
from entrepot.mirror.leases import Leases
from entrepot.mirror.watermarks import Limits
from entrepot.oci.digest import Digest
from entrepot.store.candidates import Part, Root, read_loose
from entrepot.store.keeps import list_keeps
from entrepot.tasks import TaskOwner

_REST = 20
"""After a pass that freed nothing there is a pause of so many times as long as it took."""
_LONGEST_REST_S = 60.0
_LOOSE_REST = 60
"""Looking for loose blobs means looking at all: it may take a sixtieth of the time."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Passes:
    """Owned by the room. `aclose` lets a pass end after the images it has in hand.

    What may be decided late is: each pass asks again what is wanted before it takes more.
    """

    accounts: Accounts
    leases: Leases
    clock: Callable[[], float]
    limits: Limits
    keeping: Keeping
    cost: Callable[[Iterable[Part]], float]
    forget: Callable[[Iterable[Digest]], None]
    evicted: Evicted = field(default_factory=Evicted)
    _task: asyncio.Task[None] | None = None
    _wish_from: float = 0.0
    _need_from: float = 0.0
    _loose_from: float = 0.0
    _loose: list[Root] = field(default_factory=list)
    _closing: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _owner: TaskOwner = field(default_factory=lambda: TaskOwner("eviction"))

    @property
    def running(self) -> bool:
        """Whether a pass is in progress."""
        return self._task is not None

    @property
    def need_from(self) -> float:
        """When, in loop time, the next pass may begin for somebody who waits."""
        return self._need_from

    @property
    def closing(self) -> bool:
        """Whether there will be no more passes."""
        return self._closing

    def wish(self) -> None:
        """Begin a pass if there is too much, and the last one was of some use."""
        if self.accounts.usage().over(self.limits) > 0:
            self._begin(self._wish_from)

    def need(self, *, at_once: bool = False) -> None:
        """Begin a pass because something waits for it; `at_once` even after one in vain."""
        self._begin(0.0 if at_once else self._need_from)

    async def changed(self) -> None:
        """Return when something has gone, or a pass is over."""
        await self._changed.wait()

    async def stalest(self, most: int) -> tuple[NextToGo, ...]:
        """Tell what would go first. Raises StoreError."""
        keeping = self.keeping.with_more(await list_keeps(self.accounts.catalog))
        return await self._evictor(keeping, self._to_low_mark).stalest(most)

    async def aclose(self) -> None:
        """Begin no more passes, and wait for the end of this one; safe to call twice."""
        self._closing = True
        await self._owner.settled()
        await self._owner.aclose()

    def _begin(self, earliest: float) -> None:
        now = asyncio.get_running_loop().time()
        if self._task is None and not self._closing and now >= earliest:
            self._task = self._owner.start(self._run(), name="pass")

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        began, before = loop.time(), self.evicted
        cold = in_vain = False
        try:
            await self._look()
            await self._drop_partials()
            keeping = self.keeping.with_more(await list_keeps(self.accounts.catalog))
            if not self._loose_from:
                await self._read_loose()
            await self._evictor(keeping, self._to_low_mark).run()
            cold = self.evicted != before
            if self._beyond() > 0:
                await self._evictor(keeping, self._beyond, warm=True).run()
                in_vain = self.evicted == before
            await self._read_loose()  # for the next one, which then need not wait
        except StoreError as error:
            log.warning("eviction.failed", reason=str(error))
            in_vain = True
        finally:
            now = loop.time()
            rest_s = min(_REST * (now - began), _LONGEST_REST_S)
            self._wish_from = now if cold else now + rest_s
            self._need_from = now + rest_s if in_vain else now
            self._task = None
            self._tell()
            self._report(before, now - began)

    async def _look(self) -> None:
        accounts = self.accounts
        await accounts.catalog.flush()
        await accounts.recount()
        await accounts.measure()
        await accounts.look_at_partials()
        usage = accounts.usage()
        log.info(
            "eviction.began",
            reason=usage.reason(self.limits),
            kept=usage.kept,
            coming=usage.coming,
            unfinished=usage.left,
            free=usage.free,
            limit=self.limits.max_size,
            wanted=self._to_low_mark(),
        )

    def _report(self, before: Evicted, seconds: float) -> None:
        self.accounts.metrics.eviction_seconds.observe(seconds)
        done = self.evicted - before
        log.info(
            "eviction.done",
            images=done.images,
            blobs=done.blobs,
            unfinished=done.partials,
            bytes=done.bytes,
            kept=self.accounts.kept,
            missing=max(self._to_low_mark(), 0),
            seconds=round(seconds, 3),
        )

    async def _drop_partials(self) -> None:
        """Remove broken-off downloads, oldest first; those of a moment ago may be gone on with."""
        store = self.accounts.store
        for info in await store.partials():
            lately = info.mtime > self.clock() - WARM_S
            if (self._beyond() if lately else self._to_low_mark()) <= 0:
                continue
            if await store.drop_partial(info.digest):
                self.accounts.left.pop(info.digest, None)
                self.accounts.freed(info.written)
                self._removed(Evicted(partials=1, bytes=info.written))

    async def _read_loose(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if began >= self._loose_from and not self._closing:
            self._loose = await read_loose(self.accounts.catalog)
            self._loose_from = loop.time() + _LOOSE_REST * (loop.time() - began)

    def _evictor(
        self, keeping: Keeping, wanted: Callable[[], int], *, warm: bool = False
    ) -> Evictor:
        return Evictor(
            accounts=self.accounts,
            leases=self.leases,
            keeping=keeping,
            cost=self.cost,
            clock=self.clock,
            forget=self.forget,
            told=self._removed,
            wanted=wanted,
            loose=list(self._loose),
            warm=warm,
        )

    def _to_low_mark(self) -> int:
        return 0 if self._closing else self.accounts.usage().to_low_mark(self.limits)

    def _beyond(self) -> int:
        return 0 if self._closing else self.accounts.usage().beyond(self.limits)

    def _removed(self, evicted: Evicted) -> None:
        self.evicted += evicted
        self.accounts.metrics.evicted_images.inc(evicted.images)
        self.accounts.metrics.evicted_bytes.inc(evicted.bytes)
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
