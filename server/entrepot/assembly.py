"""Settings become objects: the cache, the mirrors and the policy between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

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
from entrepot.mirror.lookahead import LookAhead
from entrepot.mirror.manifests import Manifests
from entrepot.mirror.memory import ManifestMemory
from entrepot.mirror.mirrors import Mirrors, Registries
from entrepot.mirror.mirrorstates import MirrorStates
from entrepot.mirror.names import NameTable
from entrepot.mirror.offline import OfflineDoor
from entrepot.mirror.prefetchjob import Order
from entrepot.mirror.refetch import RefetchCost
from entrepot.mirror.registry import Registry
from entrepot.mirror.room import Room
from entrepot.mirror.rules import Rules
from entrepot.mirror.schedule import Appointment
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
from entrepot.trust.cosign import SignatureTable
from entrepot.trust.pinloading import load_pins, shipped_pins
from entrepot.upstream.outbound import Outbound
from entrepot.web.frontend import Services

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Lasting:
    """What outlasts a change of the settings: the cache, what fills it, and the switch."""

    metrics: Metrics
    upkeep: Upkeep
    outbound: Outbound
    mirrors: Mirrors
    memory: ManifestMemory
    room: Room
    fills: Fills
    states: MirrorStates
    ledger: Ledger
    ahead: LookAhead

    def follow(self, settings: Settings, services: Services) -> None:
        """Go by `settings` from now on, and by what was made of them."""
        registries, cache = services.manifests.registries, settings.cache
        self.states.registries = registries
        self.memory.resize(cache.memory)
        self.upkeep.follow(_upkeep_rules(settings))
        self.room.cost = RefetchCost(registries, time.monotonic)
        self.room.forget = services.manifests.forget
        self.room.follow(_limits(cache), _keeping(cache, services.names))
        self.fills.follow(_fill_rules(settings))


async def open_lasting(settings: Settings, stack: AsyncExitStack) -> Lasting:
    """Open the cache and what works on it; `stack` closes it again.

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
    mirrors = Mirrors(outbound, metrics)
    stack.push_async_callback(mirrors.aclose)
    ledger = await _ledger(catalog, stack)
    owner = TaskOwner("sweep")
    stack.push_async_callback(owner.aclose)
    sweep = sweep_partials(store, settings.cache.unfinished, time.time)
    _ = owner.start(sweep, name="sweep of partials")
    room = _room(settings.cache, store, catalog, metrics, _names(settings))
    stack.push_async_callback(room.aclose)
    await room.start()
    fills = Fills(store, room, metrics, _fill_rules(settings))
    stack.push_async_callback(fills.aclose)
    outbound.on_offline(lambda: fills.interrupt(_gone_offline()))
    ahead = LookAhead(fills)
    stack.push_async_callback(ahead.aclose)
    outbound.on_offline(ahead.interrupt)
    states = MirrorStates({}, time.monotonic)
    metrics.registry.register(states)
    return Lasting(metrics, upkeep, outbound, mirrors, memory, room, fills, states, ledger, ahead)


@dataclass(frozen=True, slots=True)
class Made:
    """What takes time to make of the settings, or may fail."""

    registries: Registries
    rules: Rules
    signing: SignatureTable


async def make(
    lasting: Lasting, settings: Settings, before: Mapping[str, Registry] | None = None
) -> Made:
    """Read the files that the settings name, and make the clients of mirrors last.

    OSError, ValueError or PinsInvalid when one cannot be used; nothing is left open then.
    """
    rules = await asyncio.to_thread(rules_of, settings)
    signing = await asyncio.to_thread(signature_table, settings.registries)
    return Made(await lasting.mirrors.registries(settings, before), rules, signing)


def services_of(
    lasting: Lasting, settings: Settings, made: Made, owner: TaskOwner, stack: AsyncExitStack
) -> Services:
    """Make everything that listeners ask; flights are `owner`'s, and `stack` takes them back."""

    def flights(name: str) -> Flights[Any, Any]:
        made: Flights[Any, Any] = Flights(owner, name)
        # What they wait for will not come when Entrepot goes offline.
        stack.callback(lasting.outbound.on_offline(lambda: made.interrupt(_gone_offline())))
        return made

    cache, upkeep, metrics = lasting.upkeep.cache, lasting.upkeep, lasting.metrics
    manifests = Manifests(
        registries=made.registries,
        store=cache.store,
        catalog=cache.catalog,
        room=lasting.room,
        flights=flights("manifest"),
        metrics=metrics,
        overtake_s=settings.timeouts.overtake,
        negative_ttl_s=settings.tags.negative_ttl,
        clock=time.time,
        suspect=upkeep.scrub.check,
        ledger=lasting.ledger,
        memory=lasting.memory,
        private=settings.private,
        rules=made.rules,
    )
    tags = Tags(manifests, cache.catalog, flights("tag"))
    closure = Closure(cache.catalog, cache.store)
    incomplete = settings.offline_serves_incomplete
    offline = OfflineDoor(lasting.outbound, manifests, tags, closure, incomplete)
    stack.callback(offline.close)
    services = Services(
        names=_names(settings),
        manifests=manifests,
        tags=tags,
        blobs=_blobs(manifests, lasting.fills, upkeep, flights("blob size")),
        listings=_listings(manifests, tags, flights("list")),
        offline=offline,
        metrics=metrics,
        clients=settings.clients,
        headers_s=settings.timeouts.headers,
        not_found_instead_of_5xx=settings.compatibility.not_found_instead_of_5xx,
        setup=offer_of(settings),
        look_ahead=lasting.ahead if settings.look_ahead else None,
    )
    if not made.signing.rules:
        return services
    check = Signatures(
        made.signing, flights("signature"), metrics, time.time, settings.tags.negative_ttl
    )
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
    private, load_rules = settings.private, library.load_rules
    return Intake(library.names, library.room, private, library.fills, load_rules)


def appointments_of(settings: Settings) -> list[Appointment]:
    """Tell what is to be fetched ahead at which times."""
    return [
        Appointment(rule.at, Order(rule.names, rule.platforms, "schedule", rule.extras))
        for rule in settings.prefetch
    ]


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
    limits, keeping = _limits(settings), _keeping(settings, names)
    return Room(store, catalog, time.time, metrics.cache, limits=limits, keeping=keeping)


def _limits(settings: CacheSettings) -> Limits:
    return Limits(settings.max_size, settings.min_free)


def _keeping(settings: CacheSettings, names: NameTable) -> Keeping:
    return Keeping((each for rule in settings.keep for each in rule.patterns), names)


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


def _gone_offline() -> Offline:
    return Offline("Entrepot has just gone offline")


async def _ledger(catalog: Catalog, stack: AsyncExitStack) -> Ledger:
    ledger = Ledger(catalog, time.time)
    await ledger.start()
    stack.callback(ledger.aclose)
    return ledger
