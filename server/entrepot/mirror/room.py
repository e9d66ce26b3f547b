"""Room on the disk: what comes is entered in the catalog and counted, what is too much goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

import structlog

from entrepot.errors import NoRoom, StoreError
from entrepot.metrics import CacheMetrics
from entrepot.mirror.accounts import Accounts, Amounts, Demand
from entrepot.mirror.evictor import WARM_S, Evicted, Evictor
from entrepot.mirror.keeping import Keeping
from entrepot.mirror.leases import Leases
from entrepot.mirror.wanted import Wanted
from entrepot.mirror.watermarks import Limits
from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore
from entrepot.store.candidates import Part
from entrepot.store.catalog import Catalog
from entrepot.store.keeps import list_keeps
from entrepot.store.record import BlobRecord
from entrepot.tasks import TaskOwner

_LOOK_EVERY_S = 15.0
_PATIENCE_S = 2.0
"""How long a blob that is whole waits for others to come out of use."""
_MANIFEST_PATIENCE_S = 1.0
_REST = 20
"""After a pass that did not get far enough there is a pause of so many times as long as it took."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Room:
    """Who puts something below blobs/ asks here for a place, and tells when it is there.

    `clock` is the wall clock. Passes run one at a time, in a task of their own: nobody who waits
    for one can cancel it. `aclose` lets a pass end after the images it has in hand.
    """

    store: BlobStore
    catalog: Catalog
    clock: Callable[[], float]
    metrics: CacheMetrics
    limits: Limits = field(default_factory=Limits)
    keeping: Keeping = field(default_factory=Keeping)
    cost: Callable[[Iterable[Part]], float] = lambda _: 1.0
    forget: Callable[[Iterable[Digest]], None] = lambda _: None
    leases: Leases = field(default_factory=Leases)
    evicted: Evicted = field(default_factory=Evicted)
    accounts: Accounts = field(init=False)
    _pass: asyncio.Task[None] | None = None
    _not_before: float = 0.0
    _closing: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _passes: TaskOwner = field(default_factory=lambda: TaskOwner("eviction"))
    _watch: TaskOwner = field(default_factory=lambda: TaskOwner("room"))

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.store, self.catalog, self.metrics)
        self.leases.used = self._used

    async def start(self) -> None:
        """Count what there is; then look after it every now and then until `aclose`."""
        self.metrics.limit.set(self.limits.max_size or 0)
        await self.accounts.recount()
        _ = self._watch.start(self._look_after(), name="look after the disk")

    async def aclose(self) -> None:
        """Stop, after the images that are being removed now; safe to call twice."""
        self._closing = True
        await self._watch.aclose()
        await self._passes.settled()
        await self._passes.aclose()

    # -- for what comes --------------------------------------------------------------------

    @contextmanager
    def flight(self, digest: Digest, amounts: Amounts) -> Iterator[None]:
        """Count a download while the block runs; afterwards what `amounts` says is on the disk."""
        accounts = self.accounts
        accounts.flights[digest] = amounts
        accounts.left.pop(digest, None)
        try:
            yield
        finally:
            del accounts.flights[digest]
            _, written = amounts()
            if written:
                accounts.left[digest] = written
                self.look()

    def look(self) -> None:
        """Begin to make room if what there is, and what is coming, is too much; does not wait."""
        if self.accounts.usage().over(self.limits) > 0:
            self._begin_pass()

    @asynccontextmanager
    async def place(
        self, digest: Digest, size: int, *, manifest: bool = False
    ) -> AsyncIterator[None]:
        """Have a place for `size` bytes below blobs/; file and row are made inside the block.

        Waits while room is being made. NoRoom when it cannot be.
        """
        accounts, ticket = self.accounts, object()
        lease = self.leases.take(digest)
        try:
            if self.limits.min_free and not manifest:
                await accounts.measure()
            await self._admit(ticket, digest, size, manifest=manifest)
            try:
                yield
            finally:
                await accounts.placed(ticket, size)
        finally:
            lease.release()
            self.look()

    async def kept(self, wanted: Wanted, size: int, mirrors: str, seconds: float) -> None:
        """Enter a blob that has just become durable; `seconds` is how long its download took.

        A catalog that cannot be written costs nothing now: the sweep finds the file later.
        """
        now = self.clock()
        record = BlobRecord(
            digest=wanted.digest,
            size=size,
            added_at=now,
            used_at=now,
            registry=wanted.registry.name,
            mirror=mirrors,
            seconds=seconds,
        )
        try:
            await self.catalog.put_blob(record)
        except StoreError as error:
            log.warning("blob.not_entered", digest=str(wanted.digest), reason=str(error))

    # -- for who wants room ------------------------------------------------------------------

    async def make_room(self, wanted_bytes: int) -> bool:
        """Free `wanted_bytes`, whatever the limits are; whether that went well.

        Images that are kept or being pulled stay. For a disk that is full.
        """
        demand = Demand(wanted_bytes)
        self.accounts.demands.append(demand)
        try:
            for _ in range(2):  # one in progress may be past what it could have taken
                self._begin_pass(rested=True)
                while self._pass is not None and demand.left > 0:
                    await self._changed.wait()
                if demand.left <= 0:
                    break
            return demand.left <= 0
        finally:
            self.accounts.demands.remove(demand)

    async def evict_now(self, wanted_bytes: int = 0) -> Evicted:
        """Free so much at least, and go to the low mark if there is a limit; what was removed."""
        before = self.evicted
        await self.make_room(wanted_bytes)
        while self._pass is not None:
            await self._changed.wait()
        after = self.evicted
        return Evicted(
            after.images - before.images,
            after.blobs - before.blobs,
            after.partials - before.partials,
            after.bytes - before.bytes,
        )

    async def _admit(self, ticket: object, digest: Digest, size: int, *, manifest: bool) -> None:
        limits, accounts = self.limits, self.accounts
        limit = limits.max_size if manifest else limits.for_blobs
        if not accounts.fits(size, limit, limits):
            accounts.waiting[ticket] = (digest, size)
            patience_s = _MANIFEST_PATIENCE_S if manifest else _PATIENCE_S
            deadline = asyncio.get_running_loop().time() + patience_s
            try:
                while limit is None or size <= limit:
                    if accounts.fits(size, limit, limits):
                        break
                    if not await self._wait(deadline, patient=not manifest):
                        raise NoRoom(f"{digest}: no room for {size} bytes")
                else:
                    raise NoRoom(f"{digest}: its {size} bytes are more than the cache may have")
            finally:
                del accounts.waiting[ticket]
        accounts.place(ticket, digest, size)

    async def _wait(self, deadline: float, *, patient: bool) -> bool:
        """Wait for a change that may have made room; False when there is no use in waiting.

        `patient`: as long as a pass goes on, whatever the deadline.
        """
        now = asyncio.get_running_loop().time()
        if self._closing:
            return False
        self._begin_pass()
        if self._pass is not None and patient:
            await self._changed.wait()
            return True
        if now >= deadline:
            return False
        with suppress(TimeoutError):
            until = deadline if self._pass is not None else min(deadline, self._not_before)
            async with asyncio.timeout_at(until):
                await self._changed.wait()
        return True

    # -- making it -----------------------------------------------------------------------------

    def _begin_pass(self, *, rested: bool = False) -> None:
        loop = asyncio.get_running_loop()
        if self._pass is None and not self._closing and (rested or loop.time() >= self._not_before):
            self._pass = self._passes.start(self._make_room(), name="pass")

    async def _make_room(self) -> None:
        """Run one pass: broken-off downloads, then what nobody used lately, then what must be."""
        began, before = asyncio.get_running_loop().time(), self.evicted
        usage = None
        try:
            await self.catalog.flush()
            await self.accounts.recount()
            await self.accounts.measure()
            await self.accounts.look_at_partials()
            usage = self.accounts.usage()
            log.info(
                "eviction.began",
                kept=usage.kept,
                coming=usage.coming,
                unfinished=usage.left,
                free=usage.free,
                wanted=self._to_low_mark(),
                limit=self.limits.max_size,
                reason=usage.reason(self.limits),
            )
            await self._drop_partials()
            keeping = self.keeping.with_more(await list_keeps(self.catalog))
            await self._evictor(keeping, self._to_low_mark).run()
            if self._beyond() > 0:
                await self._evictor(keeping, self._beyond, warm=True).run()
        except StoreError as error:
            log.warning("eviction.failed", reason=str(error))
        finally:
            took_s = asyncio.get_running_loop().time() - began
            if self._to_low_mark() > 0:
                self._not_before = asyncio.get_running_loop().time() + _REST * took_s
            self._pass = None
            self._tell()
            self.metrics.eviction_seconds.observe(took_s)
            done = self.evicted
            log.info(
                "eviction.done",
                images=done.images - before.images,
                blobs=done.blobs - before.blobs,
                unfinished=done.partials - before.partials,
                bytes=done.bytes - before.bytes,
                kept=self.accounts.kept,
                missing=max(self._to_low_mark(), 0),
                seconds=round(took_s, 3),
            )

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
            warm=warm,
        )

    async def _drop_partials(self) -> None:
        """Remove broken-off downloads, oldest first; those of a moment ago may be gone on with."""
        for info in await self.store.partials():
            lately = info.mtime > self.clock() - WARM_S
            if (self._beyond() if lately else self._to_low_mark()) <= 0:
                continue
            if await self.store.drop_partial(info.digest):
                self.accounts.left.pop(info.digest, None)
                self.accounts.freed(info.written)
                self._removed(Evicted(partials=1, bytes=info.written))

    def _to_low_mark(self) -> int:
        return 0 if self._closing else self.accounts.usage().to_low_mark(self.limits)

    def _beyond(self) -> int:
        return 0 if self._closing else self.accounts.usage().beyond(self.limits)

    def _removed(self, evicted: Evicted) -> None:
        self.evicted += evicted
        self.metrics.evicted_images.inc(evicted.images)
        self.metrics.evicted_bytes.inc(evicted.bytes)
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _used(self, digest: Digest) -> None:
        self.catalog.use_blob(digest, self.clock())

    async def _look_after(self) -> None:
        """Others write to the same disk, and other commands to the same catalog."""
        while True:
            try:
                await self.accounts.recount()
                await self.accounts.measure()
                await self.accounts.look_at_partials()
            except StoreError as error:
                log.warning("room.unknown", reason=str(error))
            self.look()
            await asyncio.sleep(_LOOK_EVERY_S)
