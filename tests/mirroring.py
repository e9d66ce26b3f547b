"""The mirror layer over fake mirrors and a real disk, opened and closed around a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entrepot.config import MirrorSettings, TimeoutSettings
from entrepot.errors import Offline
from entrepot.metrics import Metrics
from entrepot.mirror.blobs import BlobReader, Blobs
from entrepot.mirror.fills import Fills
from entrepot.mirror.flights import Flights
from entrepot.mirror.keeping import Keeping
from entrepot.mirror.ledger import Ledger
from entrepot.mirror.listings import Listings
from entrepot.mirror.manifests import Manifests
from entrepot.mirror.memory import ManifestMemory
from entrepot.mirror.names import ImageName
from entrepot.mirror.offline import OfflineDoor
from entrepot.mirror.registry import Registry
from entrepot.mirror.room import Room
from entrepot.mirror.rules import Rules
from entrepot.mirror.tags import Tags
from entrepot.mirror.wanted import FillRules
from entrepot.mirror.watermarks import Limits
from entrepot.oci.pattern import ImagePattern
from entrepot.oci.reference import RepositoryName
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.closure import Closure
from entrepot.store.opening import opened
from entrepot.store.upkeep import Upkeep, open_upkeep
from entrepot.tasks import TaskOwner
from entrepot.upstream.mirror import MirrorClient
from entrepot.upstream.outbound import Outbound

REGISTRY = "registry.example"
PAUSE = ImageName(
    registry=REGISTRY,
    namespace="registry.example",
    repository=RepositoryName("pause"),
    client_repository="pause",
    via_ns=True,
    path_prefix="/v2/",
)


@dataclass(slots=True)
class WallClock:
    """The clock that tags age by; a test moves it."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Mirroring:
    """Everything of the mirror layer, wired as `entrepot.app` wires it."""

    registry: Registry
    store: BlobStore
    catalog: Catalog
    fills: Fills
    manifests: Manifests
    tags: Tags
    blobs: Blobs
    listings: Listings
    offline: OfflineDoor
    metrics: Metrics
    upkeep: Upkeep
    clock: WallClock = field(default_factory=WallClock)

    @property
    def outbound(self) -> Outbound:
        return self.offline.outbound

    @staticmethod
    def deadline(seconds: float = 5.0) -> float:
        return asyncio.get_running_loop().time() + seconds


async def read_all(reader: BlobReader, start: int = 0, stop: int | None = None) -> bytes:
    """What a client would receive of [start, stop); closes the reader."""
    received = bytearray()
    try:
        offset, end = start, reader.size if stop is None else stop
        while end is None or offset < end:
            ready = await reader.wait(offset)
            if ready == offset:
                break
            ready = ready if end is None else min(ready, end)
            received += await asyncio.to_thread(_pread, reader, offset, ready)
            offset = ready
    finally:
        reader.close()
    return bytes(received)


def _pread(reader: BlobReader, start: int, stop: int) -> bytes:
    reader.file.seek(start)
    return reader.file.read(stop - start)


@asynccontextmanager
async def mirroring(
    cache: Path,
    *mirrors: str | Mapping[str, object],
    overtake_s: float = 2.0,
    stall_s: float = 5.0,
    headers_s: float = 5.0,
    give_up_s: float = 0.0,
    tag_ttl_s: float = 300.0,
    offline: bool = False,
    limits: Limits | None = None,
    keep: Sequence[str] = (),
    rules: Rules | None = None,
    clock: WallClock | None = None,
) -> AsyncIterator[Mirroring]:
    """`mirrors` in order, each a url or a mirror's settings."""
    async with AsyncExitStack() as stack:
        own = await stack.enter_async_context(opened(cache))
        clock, memory, metrics = clock or WallClock(), ManifestMemory(), Metrics()
        upkeep = await stack.enter_async_context(
            open_upkeep(own, metrics.upkeep, forgotten=memory.drop, clock=clock)
        )
        outbound = Outbound(offline=offline)
        clients = [
            await _client(stack, number, mirror, stall_s, outbound)
            for number, mirror in enumerate(mirrors)
        ]
        registry = Registry(REGISTRY, tuple(clients), tag_ttl_s)
        owner = TaskOwner("test flights")
        stack.push_async_callback(owner.aclose)
        room = Room(
            own.store,
            own.catalog,
            clock,
            metrics.cache,
            limits or Limits(),
            Keeping(map(ImagePattern.parse, keep)),
        )
        stack.push_async_callback(room.aclose)
        fills = Fills(own.store, room, metrics, FillRules(headers_s, overtake_s, give_up_s))
        stack.push_async_callback(fills.aclose)
        outbound.on_offline(lambda: fills.interrupt(_gone_offline()))
        wired = _wired(registry, upkeep, memory, fills, owner, outbound=outbound)
        wired.clock = clock
        wired.manifests.rules = rules or Rules()
        fills.set_aside.lied = wired.manifests.ledger.wrong_bytes
        await wired.manifests.ledger.start()
        stack.callback(wired.manifests.ledger.aclose)
        yield wired


async def _client(
    stack: AsyncExitStack,
    number: int,
    mirror: str | Mapping[str, object],
    stall_s: float,
    outbound: Outbound,
) -> MirrorClient:
    given = {"url": mirror} if isinstance(mirror, str) else mirror
    settings = MirrorSettings.model_validate({"name": f"mirror{number}", **given})
    client = MirrorClient(REGISTRY, settings, TimeoutSettings(stall=stall_s), outbound=outbound)
    await client.start()
    stack.push_async_callback(client.aclose)
    return client


def _gone_offline() -> Offline:
    return Offline("Entrepot has just gone offline")


def _wired(
    registry: Registry,
    upkeep: Upkeep,
    memory: ManifestMemory,
    fills: Fills,
    owner: TaskOwner,
    *,
    outbound: Outbound,
) -> Mirroring:
    def flights(name: str) -> Flights[Any, Any]:
        made: Flights[Any, Any] = Flights(owner, name)
        outbound.on_offline(lambda: made.interrupt(_gone_offline()))
        return made

    registries, catalog, metrics = {REGISTRY: registry}, upkeep.cache.catalog, fills.metrics
    manifests = Manifests(
        registries=registries,
        store=fills.store,
        catalog=catalog,
        room=fills.room,
        flights=flights("manifest"),
        metrics=metrics,
        overtake_s=fills.rules.overtake_s,
        negative_ttl_s=30.0,
        clock=fills.room.clock,
        suspect=upkeep.scrub.check,
        ledger=Ledger(catalog, fills.room.clock),
        memory=memory,
    )
    fills.room.forget = manifests.forget
    tags = Tags(manifests, catalog, flights("tag"))
    return Mirroring(
        registry=registry,
        store=fills.store,
        catalog=catalog,
        fills=fills,
        manifests=manifests,
        tags=tags,
        blobs=Blobs(
            registries=registries,
            store=fills.store,
            manifests=manifests,
            fills=fills,
            flights=flights("size"),
            metrics=metrics,
            overtake_s=fills.rules.overtake_s,
            suspect=upkeep.suspect,
        ),
        listings=Listings(
            registries=registries,
            catalog=catalog,
            tags_by_name=tags,
            flights=flights("list"),
            metrics=metrics,
            overtake_s=fills.rules.overtake_s,
        ),
        offline=OfflineDoor(outbound, manifests, tags, Closure(catalog, fills.store)),
        metrics=metrics,
        upkeep=upkeep,
    )
