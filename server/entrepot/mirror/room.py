"""Room on the disk: what comes is entered in the catalog and counted, what is too much goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from entrepot.errors import DiskFull, NoRoom, StoreError
from entrepot.metrics import CacheMetrics
from entrepot.mirror.accounts import Accounts, Amounts, Demand
from entrepot.mirror.evictor import Evicted, NextToGo
from entrepot.mirror.keeping import Keeping
from entrepot.mirror.leases import Leases
from entrepot.mirror.passes import Passes
from entrepot.mirror.wanted import Wanted
from entrepot.mirror.watermarks import Limits
from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore
from entrepot.store.candidates import Part
from entrepot.store.catalog import Catalog
from entrepot.store.record import BlobRecord
from entrepot.tasks import TaskOwner

T = TypeVar("T")

_LOOK_EVERY_S = 15.0
_PATIENCE_S = 0.5
"""How long something that is whole waits for others to come out of use."""
_MOST_WAITING_SHARE = 0.05
"""What waits takes up the disk as well: when it is more than this of the limit, nobody does."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Room:
    """Who puts something below blobs/ asks here for a place, and tells when it is there.

    `clock` is the wall clock. Who wires it up may set `cost`, what it takes to get parts again, and
    `forget`, which is told of manifests that have gone.
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
    accounts: Accounts = field(init=False)
    _passes: Passes = field(init=False)
    _watch: TaskOwner = field(default_factory=lambda: TaskOwner("room"))

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.store, self.catalog, self.metrics)
        self.leases.used = self._used
        self._passes = Passes(
            accounts=self.accounts,
            leases=self.leases,
            clock=self.clock,
            limits=self.limits,
            keeping=self.keeping,
            cost=lambda parts: self.cost(parts),  # noqa: PLW0108 - both may be set later
            forget=lambda digests: self.forget(digests),  # noqa: PLW0108
        )

    async def start(self) -> None:
        """Count what there is; then look after it every now and then until `aclose`."""
        self.metrics.limit.set(self.limits.max_size or 0)
        await self.accounts.recount()
        _ = self._watch.start(self._look_after(), name="look after the disk")

    def follow(self, limits: Limits, keeping: Keeping) -> None:
        """Go by other limits, and keep other images, from now on."""
        self.limits = self._passes.limits = limits
        self.keeping = self._passes.keeping = keeping
        self.metrics.limit.set(limits.max_size or 0)
        self.look()

    async def aclose(self) -> None:
        """Stop, after the images that are being removed now; safe to call twice."""
        await self._watch.aclose()
        await self._passes.aclose()

    # -- for what comes --------------------------------------------------------------------

    @contextmanager
    def flight(self, digest: Digest, amounts: Amounts) -> Iterator[None]:
        """Count a download while the block runs; afterwards what `amounts` says is on the disk.

        Of several for one digest, only one of which can be on the disk, the last is counted.
        """
        accounts = self.accounts
        accounts.flights[digest] = amounts
        accounts.left.pop(digest, None)
        try:
            yield
        finally:
            if accounts.flights.get(digest) is amounts:
                del accounts.flights[digest]
            _, written = amounts()
            if written:
                accounts.left[digest] = written
                self.look()

    def look(self) -> None:
        """Begin to make room if what there is, and what is coming, is too much; does not wait."""
        self._passes.wish()

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
        await self.enter(record)

    async def enter(self, record: BlobRecord) -> None:
        """As `kept`, for what did not come from mirrors."""
        try:
            await self.catalog.put_blob(record)
        except StoreError as error:
            log.warning("blob.not_entered", digest=str(record.digest), reason=str(error))

    # -- for who wants room ------------------------------------------------------------------

    async def make_room(self, wanted_bytes: int) -> bool:
        """Free `wanted_bytes`, whatever the limits are; whether that went well.

        Images that are kept or being pulled stay. For a disk that is full.
        """
        return await self._free(Demand(wanted_bytes))

    async def next_to_go(self, most: int) -> tuple[NextToGo, ...]:
        """Tell which images would be evicted first, were there no room. Raises StoreError."""
        return await self._passes.stalest(most)

    async def _free(self, demand: Demand) -> bool:
        self.accounts.demands.append(demand)
        try:
            for _ in range(2):  # one in progress may be past what it could have taken
                self._passes.need(at_once=True)
                while self._passes.running and demand.left > 0:
                    await self._passes.changed()
                if demand.left <= 0:
                    break
            return demand.left <= 0
        finally:
            self.accounts.demands.remove(demand)

    async def for_disk(self, work: Callable[[], Awaitable[T]], missing: Callable[[], int]) -> T:
        """Do `work`; if the disk is full, once more when what is `missing` could be freed (P30)."""
        try:
            return await work()
        except DiskFull:
            if not await self.make_room(missing()):
                raise
            return await work()

    async def evict_now(self, wanted_bytes: int = 0) -> Evicted:
        """Free so much at least, and go to the low mark if there is a limit; what was removed.

        Takes its time, for the sake of others.
        """
        before = self._passes.evicted
        await self._free(Demand(wanted_bytes, urgent=False))
        while self._passes.running:
            await self._passes.changed()
        return self._passes.evicted - before

    async def _admit(self, ticket: object, digest: Digest, size: int, *, manifest: bool) -> None:
        limits, accounts = self.limits, self.accounts
        limit = limits.max_size if manifest else limits.for_blobs
        free = 0 if manifest else limits.min_free  # what is so small is no matter for the disk
        if not accounts.fits(size, limit, free):
            if limit is not None and size > limit:
                raise NoRoom(f"{digest}: its {size} bytes are more than the cache may have")
            accounts.waiting[ticket] = (digest, size)
            deadline = asyncio.get_running_loop().time() + _PATIENCE_S
            try:
                while not accounts.fits(size, limit, free):
                    if not await self._wait(deadline, patient=not manifest):
                        reason = accounts.usage().reason(limits)
                        raise NoRoom(f"{digest}: no room for {size} bytes because of {reason}")
            finally:
                del accounts.waiting[ticket]
        accounts.place(ticket, digest, size)

    async def _wait(self, deadline: float, *, patient: bool) -> bool:
        """Wait for a change that may have made room; False when there is no use in waiting.

        `patient`: as long as a pass goes on, whatever the deadline.
        """
        passes, now = self._passes, asyncio.get_running_loop().time()
        if passes.closing:
            return False
        passes.need()
        if passes.running and patient:
            await passes.changed()
            return True
        crowded = self.accounts.usage().waiting > _MOST_WAITING_SHARE * (self.limits.max_size or 0)
        if now >= deadline or (crowded and not passes.running):
            return False
        with suppress(TimeoutError):
            until = deadline if passes.running else min(deadline, passes.need_from)
            async with asyncio.timeout_at(until):
                await passes.changed()
        return True

    def _used(self, digest: Digest) -> None:
        self.catalog.use_blob(digest, self.clock())

    async def _look_after(self) -> None:
        """Others write to the same disk, and other commands to the same catalog."""
        while True:
            try:
                await self.accounts.recount()
                await self.store.keep_reserve()
                await self.accounts.measure()
                await self.accounts.look_at_partials()
            except StoreError as error:
                log.warning("room.unknown", reason=str(error))
            self.look()
            await asyncio.sleep(_LOOK_EVERY_S)
