"""Looking after the cache: sweeps after a bad end and now and then, and the scrub; in background.

`open_upkeep` is for a server and for a command alike; only a server calls `start`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from entrepot.errors import StoreError
from entrepot.metrics import UpkeepMetrics
from entrepot.oci.digest import Digest
from entrepot.store.notes import SWEPT, time_note
from entrepot.store.opening import Cache
from entrepot.store.pace import Pace, rate_for
from entrepot.store.quarantine import Quarantine
from entrepot.store.scrub import Scrub
from entrepot.store.sweep import ORPHAN_GRACE_S, Sweep, SweepReport
from entrepot.store.threads import DiskThreads
from entrepot.tasks import TaskOwner

SWEEP_EVERY_S = 7 * 86400.0
SHARE = 0.25
"""How much of the time a sweep in the background may keep the disk busy."""
REBUILD_SHARE = 0.8
_LOOK_EVERY_S = 3600.0
_AFTER_FAILURE_S = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UpkeepRules:
    """How often every blob is hashed again (s), and bytes a second at most; None is not at all."""

    scrub_every_s: float = 30 * 86400.0
    scrub_rate: int | None = 20 << 20
    sweep_every_s: float = SWEEP_EVERY_S


@dataclass(slots=True)
class Upkeep:
    """What is done to one cache without anybody asking. `clock` is the wall clock."""

    cache: Cache
    sweep: Sweep
    scrub: Scrub
    metrics: UpkeepMetrics
    rules: UpkeepRules
    clock: Callable[[], float]
    _owner: TaskOwner = field(default_factory=lambda: TaskOwner("upkeep"))
    _sweeping: asyncio.Lock = field(default_factory=asyncio.Lock)
    _scrubbing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _suspects: set[Digest] = field(default_factory=set)
    _ruled: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> None:
        """Begin, in the background."""
        _ = self._owner.start(self._sweep_for_ever(), name="sweep")
        _ = self._owner.start(self._scrub_for_ever(), name="scrub")

    def follow(self, rules: UpkeepRules) -> None:
        """Go by other rules from the next look on."""
        self.rules = rules
        self._ruled.set()

    async def aclose(self) -> None:
        """Stop whatever is going on; safe to call twice."""
        await self._owner.aclose()

    async def swept(self, *, grace_s: float = ORPHAN_GRACE_S, share: float = 1.0) -> SweepReport:
        """Sweep now, after one that is going on; see `Sweep.run`."""
        async with self._sweeping:
            catalog = self.cache.catalog
            rebuilding = catalog.incomplete and await self._has_blobs()
            if rebuilding:
                # not the end of the world where a rebuild goes on, or an older Entrepot was here
                told = log.error if catalog.lost else log.warning
                told("catalog.rebuilding", cache=str(self.cache.store.layout.root))
            began = time.monotonic()
            report = await self.sweep.run(grace_s=grace_s, share=share)
            self.cache.agrees = True
            done = "catalog.rebuilt" if rebuilding else "sweep.done"
            log.info(done, seconds=round(time.monotonic() - began, 1), **report.counts())
            self.metrics.sweep.set(self.clock())
            return report

    async def scrubbed(self) -> None:
        """Hash every blob again now, as fast as it goes; after a round that is going on."""
        async with self._scrubbing:
            await self.scrub.run(Pace())

    def scrub_soon(self) -> bool:
        """Begin a round now, in the background; False when one is going on already."""
        if self._scrubbing.locked():
            return False
        _ = self._owner.start(self._scrub_once(), name="scrub on demand")
        return True

    async def _scrub_once(self) -> None:
        try:
            await self.scrubbed()
        except StoreError as error:
            log.warning("scrub.broken_off", reason=str(error))

    def suspect(self, digest: Digest) -> None:
        """Check one blob soon: somebody could not read it."""
        if digest not in self._suspects:
            self._suspects.add(digest)
            _ = self._owner.start(self._check(digest), name=f"check {digest}")

    async def _check(self, digest: Digest) -> None:
        try:
            await self.scrub.check(digest)
        except StoreError as error:
            log.warning("scrub.failed", digest=str(digest), reason=str(error))
        finally:
            self._suspects.discard(digest)

    async def _sweep_for_ever(self) -> None:
        catalog, clean, failures = self.cache.catalog, self.cache.clean, 0
        while True:
            try:
                if catalog.incomplete:
                    await self.swept(share=REBUILD_SHARE)
                elif not clean or await self._sweep_is_due():
                    await self.swept(share=SHARE)
                clean, failures = True, 0
            except StoreError as error:
                log.warning("sweep.broken_off", reason=str(error))
                await asyncio.sleep(min(2.0**failures, _AFTER_FAILURE_S))
                failures += 1
                continue
            try:
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await catalog.until_incomplete()
            except TimeoutError:
                continue

    async def _sweep_is_due(self) -> bool:
        swept_at = await time_note(self.cache.catalog, SWEPT)
        return swept_at is None or not 0 <= self.clock() - swept_at < self.rules.sweep_every_s

    async def _scrub_for_ever(self) -> None:
        while True:
            every_s, ceiling = self.rules.scrub_every_s, self.rules.scrub_rate
            if ceiling is None:
                await self._until_ruled(None)
                continue
            try:
                if await self._until_ruled(min(await self.scrub.due_in(every_s), _LOOK_EVERY_S)):
                    continue
                if await self.scrub.due_in(every_s) <= 0:
                    totals = await self.cache.catalog.totals()
                    rate = rate_for(totals.bytes, totals.blobs, every_s, ceiling)
                    async with self._scrubbing:
                        await self.scrub.run(Pace(rate))
            except StoreError as error:
                log.warning("scrub.broken_off", reason=str(error))
                await asyncio.sleep(_AFTER_FAILURE_S)

    async def _until_ruled(self, seconds: float | None) -> bool:
        """Wait for other rules; False when there were none for so long."""
        self._ruled.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._ruled.wait()
        except TimeoutError:
            return False
        return True

    async def _has_blobs(self) -> bool:
        blobs = self.cache.store.layout.blobs
        return await self.sweep.threads.run(lambda: next(blobs.glob("*/*/*"), None) is not None)


@asynccontextmanager
async def open_upkeep(
    cache: Cache,
    metrics: UpkeepMetrics,
    rules: UpkeepRules | None = None,
    *,
    forgotten: Callable[[Digest], None] = lambda _: None,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Upkeep]:
    """Everything that looks after `cache`, not started; ends with the block, in good order.

    `forgotten` is told of each rotten blob, so that it leaves memory as well.
    """
    sweeping, scrubbing = DiskThreads("entrepot-sweep", 1), DiskThreads("entrepot-scrub", 1)
    quarantine = Quarantine(cache.store.layout)

    async def forget(digests: Sequence[Digest]) -> None:
        await sweep.forget(digests, SweepReport())

    scrub = Scrub(
        store=cache.store,
        catalog=cache.catalog,
        quarantine=quarantine,
        threads=scrubbing,
        metrics=metrics,
        clock=clock,
        forgotten=forgotten,
        forget=forget,
    )
    sweep = Sweep(
        cache.store,
        cache.catalog,
        quarantine,
        sweeping,
        scrub.check,
        clock,
        leaving=cache.store.removals.__contains__,
    )
    upkeep = Upkeep(cache, sweep, scrub, metrics, rules or UpkeepRules(), clock)
    try:
        yield upkeep
    finally:
        await upkeep.aclose()
        await sweeping.aclose()
        await scrubbing.aclose()
