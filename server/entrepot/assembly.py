"""Settings become objects: the cache, the mirrors and the policy between them."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from entrepot.config import (
    CacheSettings,
    Settings,
)
from entrepot.errors import Offline
from entrepot.metrics import Metrics
from entrepot.mirror.blobs import Blobs
from entrepot.mirror.fills import Fills
from entrepot.mirror.flights import Flights
from entrepot.mirror.intake import Intake
from entrepot.mirror.keeping import Keeping
from entrepot.mirror.ledger import Ledger
from entrepot.mirror.library import Library
from entrepot.mirror.listings import Listings
from entrepot.mirror.manifests import Manifests
from entrepot.mirror.memory import ManifestMemory
from entrepot.mirror.names import NameTable
from entrepot.mirror.offline import OfflineDoor
from entrepot.mirror.prefetch import Prefetch
from entrepot.mirror.prefetchjob import Order
from entrepot.mirror.refetch import RefetchCost
from entrepot.mirror.registry import Registry
from entrepot.mirror.room import Room
from entrepot.mirror.rules import Rules
from entrepot.mirror.schedule import Appointment, keep_appointments
from entrepot.mirror.signaturerules import signature_table
from entrepot.mirror.signatures import Signatures
from entrepot.mirror.signingdoor import SigningDoor
from entrepot.mirror.sweep import sweep_partials
from entrepot.mirror.tags import Tags
from entrepot.mirror.wanted import FillRules
from entrepot.mirror.watermarks import Limits
from entrepot.setup.offer import Offer
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.closure import Closure
from entrepot.store.opening import opened
from entrepot.store.upkeep import Upkeep, UpkeepRules, open_upkeep
from entrepot.tasks import TaskOwner
from entrepot.trust.pinloading import load_pins, shipped_pins
from entrepot.upstream.certificates import Certificates
from entrepot.upstream.gate import Gates
from entrepot.upstream.mirror import MirrorClient
from entrepot.upstream.outbound import Outbound
from entrepot.web.frontend import Services

F = TypeVar("F", bound=Flights[Any, Any])

log = structlog.get_logger(__name__)


async def assemble(settings: Settings, stack: AsyncExitStack) -> tuple[Services, Upkeep]:
    """Open the cache and make everything that listeners ask; `stack` closes it again.

    Raises StoreError when the cache directory cannot be used, PinsInvalid when a file of pins.
    """
    metrics = Metrics()
    cache = await stack.enter_async_context(opened(settings.cache.path))
    store, catalog = cache.store, cache.catalog
    memory = ManifestMemory(settings.cache.memory)
    upkeep = await stack.enter_async_context(
        open_upkeep(cache, metrics.upkeep, _upkeep_rules(settings), forgotten=memory.drop)
    )
    outbound = _outbound(settings, metrics)
    registries = await _registries(settings, outbound, stack)
    rules = await asyncio.to_thread(rules_of, settings)
    ledger = await _ledger(catalog, stack)
    owner = TaskOwner("flights")
    stack.push_async_callback(owner.aclose)
    _ = owner.start(sweep_partials(store, settings.cache.unfinished, time.time), name="sweep")
    names = _names(settings)
    room = _room(settings.cache, store, catalog, metrics, names)
    room.cost = RefetchCost(registries, time.monotonic)
    stack.push_async_callback(room.aclose)
    await room.start()
    fills = Fills(store, room, metrics, _fill_rules(settings))
    stack.push_async_callback(fills.aclose)
    outbound.on_offline(lambda: fills.interrupt(_gone_offline()))
    manifests = Manifests(
        registries=registries,
        store=store,
        catalog=catalog,
        room=room,
        flights=_stopped(outbound, Flights(owner, "manifest")),
        metrics=metrics,
        overtake_s=settings.timeouts.overtake,
        negative_ttl_s=settings.tags.negative_ttl,
        clock=time.time,
        suspect=upkeep.scrub.check,
        ledger=ledger,
        memory=memory,
        private=settings.private,
        rules=rules,
    )
    room.forget = manifests.forget
    tags = Tags(manifests, catalog, _stopped(outbound, Flights(owner, "tag")))
    closure = Closure(catalog, store)
    services = Services(
        names=names,
        manifests=manifests,
        tags=tags,
        blobs=_blobs(manifests, fills, upkeep, _stopped(outbound, Flights(owner, "blob size"))),
        listings=_listings(manifests, tags, _stopped(outbound, Flights(owner, "list"))),
        offline=OfflineDoor(outbound, manifests, tags, closure, settings.offline_serves_incomplete),
        metrics=metrics,
        clients=settings.clients,
        headers_s=settings.timeouts.headers,
        not_found_instead_of_5xx=settings.compatibility.not_found_instead_of_5xx,
        setup=offer_of(settings),
    )
    return await _with_signatures(services, settings, owner), upkeep


async def _with_signatures(services: Services, settings: Settings, owner: TaskOwner) -> Services:
    """Put a door before the manifests, if any registry's images have to be signed."""
    table = await asyncio.to_thread(signature_table, settings.registries)
    if not table.rules:
        return services
    flights: Flights[Any, Any] = Flights(owner, "signature")
    _ = _stopped(services.offline.outbound, flights)
    check = Signatures(table, flights, services.metrics, time.time, settings.tags.negative_ttl)
    door = SigningDoor(check, services.tags, services.blobs, services.listings)
    return replace(services, signatures=door)


def offer_of(settings: Settings) -> Offer:
    """Say which registries a node can be pointed at us for, by all their names."""
    return Offer(settings.names, settings.own_ports)


def library_of(services: Services, upkeep: Upkeep, settings: Settings) -> Library:
    """Make what the admin listener asks."""
    return Library(
        names=services.names,
        room=services.manifests.room,
        upkeep=upkeep,
        rules=tuple(map(str, settings.cache.keep)),
        outbound=services.offline.outbound,
        fills=services.blobs.fills,
        ledger=services.manifests.ledger,
        load_rules=lambda: services.manifests.rules,
    )


def intake_of(library: Library, settings: Settings) -> Intake:
    """Make what takes in images from files, for a running server or a directory."""
    return Intake(library.names, library.room, settings.private, library.fills)


def prefetch_of(services: Services, settings: Settings, stack: AsyncExitStack) -> Prefetch:
    """Make what fetches ahead, and have it keep its appointments; `stack` ends both."""
    prefetch = Prefetch(services.names, services.tags, services.blobs, settings.timeouts.headers)
    stack.push_async_callback(prefetch.aclose)
    appointments = [
        Appointment(rule.at, Order(rule.names, rule.platforms, "schedule"))
        for rule in settings.prefetch
    ]
    if appointments:
        owner = TaskOwner("schedule")
        stack.push_async_callback(owner.aclose)
        _ = owner.start(keep_appointments(prefetch, appointments), name="prefetch")
    return prefetch


async def assemble_at_rest(settings: Settings, stack: AsyncExitStack) -> Library:
    """Open a cache that no server uses, for a command: nothing goes out, nothing runs by itself.

    Raises StoreLocked when a server does use it, and StoreError when it cannot be used.
    """
    metrics = Metrics()
    cache = await stack.enter_async_context(opened(settings.cache.path))
    upkeep = await stack.enter_async_context(
        open_upkeep(cache, metrics.upkeep, _upkeep_rules(settings))
    )
    names = _names(settings)
    room = _room(settings.cache, cache.store, cache.catalog, metrics, names)
    stack.push_async_callback(room.aclose)
    await room.accounts.recount()
    return Library(
        names,
        room,
        upkeep,
        tuple(map(str, settings.cache.keep)),
        ledger=await _ledger(cache.catalog, stack),
        load_rules=lambda: rules_of(settings),
    )


def _blobs(manifests: Manifests, fills: Fills, upkeep: Upkeep, flights: Flights[Any, Any]) -> Blobs:
    fills.set_aside.lied = manifests.ledger.wrong_bytes
    return Blobs(
        registries=manifests.registries,
        store=manifests.store,
        manifests=manifests,
        fills=fills,
        flights=flights,
        metrics=manifests.metrics,
        overtake_s=manifests.overtake_s,
        suspect=upkeep.suspect,
    )


def _listings(manifests: Manifests, tags: Tags, flights: Flights[Any, Any]) -> Listings:
    return Listings(
        registries=manifests.registries,
        catalog=manifests.catalog,
        tags_by_name=tags,
        flights=flights,
        metrics=manifests.metrics,
        overtake_s=manifests.overtake_s,
    )


def rules_of(settings: Settings) -> Rules:
    """Read the pins and policies that the settings name. Blocks; PinsInvalid with every mistake."""
    pins = load_pins(*settings.trust.ranks(shipped_pins()))
    return Rules(pins, settings.trust.table(settings.canonical))


def _upkeep_rules(settings: Settings) -> UpkeepRules:
    scrub = settings.cache.scrub
    return UpkeepRules(scrub.every, scrub.rate)


def _names(settings: Settings) -> NameTable:
    aliases = {name: registry.aliases for name, registry in settings.registries.items()}
    return NameTable(aliases, settings.hosts)


def _room(
    settings: CacheSettings, store: BlobStore, catalog: Catalog, metrics: Metrics, names: NameTable
) -> Room:
    patterns = (each for rule in settings.keep for each in rule.patterns)
    return Room(
        store,
        catalog,
        time.time,
        metrics.cache,
        limits=Limits(settings.max_size, settings.min_free),
        keeping=Keeping(patterns, names),
    )


def _fill_rules(settings: Settings) -> FillRules:
    timeouts = settings.timeouts
    # Readers wait for a mirror to come back as long as two stalls take: 30 s, rule T-2.
    return FillRules(timeouts.headers, timeouts.overtake, give_up_s=2 * timeouts.stall)


def _outbound(settings: Settings, metrics: Metrics) -> Outbound:
    outbound = Outbound(offline=settings.offline)
    if settings.offline:
        log.warning("server.offline", serves_incomplete=settings.offline_serves_incomplete)
    metrics.offline.set_function(lambda: float(outbound.offline))
    return outbound


def _stopped(outbound: Outbound, flights: F) -> F:
    """Have them stopped when Entrepot goes offline: what they wait for will not come."""
    outbound.on_offline(lambda: flights.interrupt(_gone_offline()))
    return flights


def _gone_offline() -> Offline:
    return Offline("Entrepot has just gone offline")


async def _ledger(catalog: Catalog, stack: AsyncExitStack) -> Ledger:
    ledger = Ledger(catalog, time.time)
    await ledger.start()
    stack.callback(ledger.aclose)
    return ledger


async def _registries(
    settings: Settings, outbound: Outbound, stack: AsyncExitStack
) -> dict[str, Registry]:
    registries = {}
    certificates = Certificates()
    gates = Gates()  # a mirror's limits are the mirror's, however many registries it stands for
    for name, registry in settings.registries.items():
        mirrors = []
        for mirror in registry.mirrors:
            client = MirrorClient(
                name, mirror, settings.timeouts, gates, outbound=outbound, certificates=certificates
            )
            await client.start()
            stack.push_async_callback(client.aclose)
            mirrors.append(client)
        ttl_s = settings.tags.ttl if registry.tag_ttl is None else registry.tag_ttl
        registries[name] = Registry(name, tuple(mirrors), ttl_s)
    return registries
