"""The books of the cache directory: what is kept, what is coming, what is leaving, in bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog

from entrepot.errors import StoreError
from entrepot.metrics import CacheMetrics
from entrepot.mirror.watermarks import Usage, free_wanted
from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog

log = structlog.get_logger(__name__)

Amounts: TypeAlias = Callable[[], tuple[int, int]]
"""Tells of a download its whole size, 0 while nobody knows, and the bytes that are on the disk."""


@dataclass(slots=True, eq=False)
class Demand:
    """Somebody wants so many bytes freed, whatever the limits are; `urgent`: and waits for it."""

    left: int
    urgent: bool = True


@dataclass(slots=True)
class Accounts:
    """Lives on the loop. What is put down in advance is taken back when the catalog counts it.

    So the books may for a moment say too much, and never too little.
    """

    store: BlobStore
    catalog: Catalog
    metrics: CacheMetrics
    flights: dict[Digest, Amounts] = field(default_factory=dict)
    left: dict[Digest, int] = field(default_factory=dict)
    waiting: dict[object, tuple[Digest, int]] = field(default_factory=dict)
    demands: list[Demand] = field(default_factory=list)
    _entered: int = 0
    _placing: dict[object, tuple[Digest, int]] = field(default_factory=dict)
    _leaving: int = 0
    _free: int | None = None
    _disk: int = 0

    @property
    def kept(self) -> int:
        """Bytes below blobs/, and those that have been promised a place there."""
        return self._entered + self._leaving + sum(size for _, size in self._placing.values())

    def usage(self) -> Usage:
        """Tell everything at this moment."""
        accounted = {digest for digest, _ in (*self._placing.values(), *self.waiting.values())}
        amounts = [tell() for digest, tell in self.flights.items() if digest not in accounted]
        return Usage(
            kept=self.kept,
            left=sum(self.left.values()),
            coming=sum(size for size, _ in amounts),
            unwritten=sum(max(size - written, 0) for size, written in amounts),
            waiting=sum(size for _, size in self.waiting.values()),
            demanded=sum(demand.left for demand in self.demands),
            free=self._free,
            disk=self._disk,
        )

    @property
    def urgent(self) -> bool:
        """Whether somebody waits for room."""
        return bool(self.waiting) or any(demand.urgent for demand in self.demands)

    def fits(self, size: int, limit: int | None, min_free: int) -> bool:
        """Whether `size` more may be kept now; of a file that is on the same disk already."""
        if limit is not None and self.kept + size > limit:
            return False
        return self._free is None or self._free >= free_wanted(min_free, self._disk)

    def place(self, ticket: object, digest: Digest, size: int) -> None:
        """Promise a place; `placed` ends it."""
        self._placing[ticket] = (digest, size)

    async def placed(self, ticket: object, size: int) -> None:
        """Take a promise back: the catalog counts it, or it was not kept after all."""
        try:
            await self.recount()
        except StoreError as error:
            self._entered += size
            log.warning("room.unknown", reason=str(error))
        finally:
            del self._placing[ticket]

    @contextmanager
    def leaving(self, size: int) -> Iterator[None]:
        """Count `size` bytes as here until the block ends: their rows go before their files."""
        self._leaving += size
        try:
            yield
        finally:
            self._leaving -= size

    def freed(self, size: int) -> None:
        """Note that so many bytes have left the disk."""
        if self._free is not None:
            self._free += size
        for demand in self.demands:
            taken = min(demand.left, size)
            demand.left -= taken
            size -= taken

    async def recount(self) -> None:
        """Ask the catalog how much there is."""
        totals = await self.catalog.totals()
        self._entered = totals.bytes
        self.metrics.bytes.set(totals.bytes)
        self.metrics.blobs.set(totals.blobs)

    async def measure(self) -> None:
        """Ask the file system how much is free."""
        self._free, self._disk = await self.store.disk_space()

    async def look_at_partials(self) -> None:
        """Find out what broken-off downloads there are, the oldest first."""
        found = await self.store.partials()
        self.left = {one.digest: one.written for one in found if one.digest not in self.flights}
