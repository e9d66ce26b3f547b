"""The composition root: settings become objects, objects become listeners; start and stop order."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from entrepot.config import Address, Settings
from entrepot.metrics import Metrics
from entrepot.mirror.blobs import Blobs
from entrepot.mirror.fills import Fills
from entrepot.mirror.flights import Flights
from entrepot.mirror.listings import Listings
from entrepot.mirror.manifests import Manifests
from entrepot.mirror.memory import ManifestMemory
from entrepot.mirror.names import NameTable
from entrepot.mirror.registry import Registry
from entrepot.mirror.room import Room
from entrepot.mirror.sweep import sweep_partials
from entrepot.mirror.tags import Tags
from entrepot.mirror.wanted import FillRules
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.tasks import TaskOwner
from entrepot.upstream.certificates import Certificates
from entrepot.upstream.gate import Gates
from entrepot.upstream.mirror import MirrorClient
from entrepot.web.admin import admin_application
from entrepot.web.frontend import Frontend, Services
from entrepot.web.noise import http_log

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Server:
    """A running server. `ready` turns false when it begins to drain.

    The addresses are host:port, with the real port where the settings say 0.
    """

    services: Services
    addresses: list[str] = field(default_factory=list)
    admin_address: str | None = None
    ready: bool = False


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Server]:
    """Start everything, yield, stop everything in the opposite order.

    Needs no mirror to be reachable (P28). Raises StoreError when the cache directory cannot be
    used and OSError when an address cannot be bound; nothing is left running then.
    """
    async with AsyncExitStack() as stack:
        services = await _build(settings, stack)
        server = Server(services)
        if settings.admin is not None:
            admin = web.AppRunner(
                admin_application(services.metrics, lambda: server.ready),
                access_log=None,
                handle_signals=False,
            )
            server.admin_address = await _listen(stack, admin, settings.admin)
        for listen in settings.listen:
            default = services.names.canonical(listen.registry) if listen.registry else None
            runner = web.ServerRunner(
                web.Server(
                    Frontend(services, default),
                    handler_cancellation=True,
                    access_log=None,
                    logger=http_log(),
                    keepalive_timeout=75.0,
                ),
                handle_signals=False,
                # aiohttp waits so long twice: for the answer, then for its task to end.
                shutdown_timeout=settings.timeouts.drain / 2,
            )
            server.addresses.append(await _listen(stack, runner, listen))
        server.ready = True
        try:
            yield server
        finally:
            server.ready = False
            log.info("server.draining", seconds=settings.timeouts.drain)


async def _build(settings: Settings, stack: AsyncExitStack) -> Services:
    metrics = Metrics()
    store = BlobStore(settings.cache.path)
    await store.open()
    stack.push_async_callback(store.aclose)
    catalog = Catalog(store.layout.catalog)
    await catalog.open()
    stack.push_async_callback(catalog.aclose)
    registries = await _registries(settings, stack)
    owner = TaskOwner("flights")
    stack.push_async_callback(owner.aclose)
    timeouts = settings.timeouts
    # Readers wait for a mirror to come back as long as two stalls take: 30 s, rule T-2.
    rules = FillRules(timeouts.headers, timeouts.overtake, give_up_s=2 * timeouts.stall)
    sweep = sweep_partials(store, settings.cache.unfinished, time.time)
    _ = owner.start(sweep, name="sweep of partials")
    fills = Fills(store, Room(catalog, time.time), metrics, rules)
    stack.push_async_callback(fills.aclose)
    overtake_s = settings.timeouts.overtake
    manifests = Manifests(
        registries=registries,
        store=store,
        catalog=catalog,
        flights=Flights(owner, "manifest"),
        metrics=metrics,
        overtake_s=overtake_s,
        negative_ttl_s=settings.tags.negative_ttl,
        clock=time.time,
        memory=ManifestMemory(settings.cache.memory),
    )
    tags = Tags(manifests, catalog, Flights(owner, "tag"))
    return Services(
        names=NameTable(
            {name: registry.aliases for name, registry in settings.registries.items()},
            settings.hosts,
        ),
        manifests=manifests,
        tags=tags,
        blobs=Blobs(
            registries=registries,
            store=store,
            manifests=manifests,
            fills=fills,
            flights=Flights(owner, "blob size"),
            metrics=metrics,
            overtake_s=overtake_s,
        ),
        listings=Listings(
            registries=registries,
            catalog=catalog,
            tags_by_name=tags,
            flights=Flights(owner, "list"),
            metrics=metrics,
            overtake_s=overtake_s,
        ),
        metrics=metrics,
        headers_s=settings.timeouts.headers,
        not_found_instead_of_5xx=settings.compatibility.not_found_instead_of_5xx,
    )


async def _registries(settings: Settings, stack: AsyncExitStack) -> dict[str, Registry]:
    registries = {}
    gates = Gates()  # a mirror's limits are the mirror's, however many registries it stands for
    certificates = Certificates()
    for name, registry in settings.registries.items():
        mirrors = []
        for mirror in registry.mirrors:
            client = MirrorClient(name, mirror, settings.timeouts, gates, certificates)
            await client.start()
            stack.push_async_callback(client.aclose)
            mirrors.append(client)
        ttl_s = settings.tags.ttl if registry.tag_ttl is None else registry.tag_ttl
        registries[name] = Registry(name, tuple(mirrors), ttl_s)
    return registries


async def _listen(stack: AsyncExitStack, runner: web.BaseRunner, address: Address) -> str:
    """Listen at `address` and tell it with the port that was taken: 0 means any."""
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, address.host, address.port, backlog=1024)
    await site.start()
    port = int(runner.addresses[0][1])
    return str(Address(host=address.host, port=port))
