"""The composition root: settings become objects, objects become listeners; start and stop order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from entrepot.activation import Handed
from entrepot.assembly import appointments_of, intake_of, library_of, open_lasting
from entrepot.config import (
    Address,
    AdminSettings,
    ClientSettings,
    ConfigError,
    ListenSettings,
    Problem,
    Reloaded,
    Settings,
    applicable,
)
from entrepot.config.origin import Origin
from entrepot.descriptors import connections_within, current_limit
from entrepot.errors import StoreError
from entrepot.generation import Generation, Generations
from entrepot.mirror.history import History
from entrepot.mirror.intake import Intake
from entrepot.mirror.library import Library
from entrepot.mirror.overview import Overview
from entrepot.mirror.prefetch import Prefetch
from entrepot.mirror.schedule import Schedule
from entrepot.store.layout import Layout
from entrepot.store.secretfile import keep_secret
from entrepot.store.upkeep import Upkeep
from entrepot.tasks import TaskOwner, owned
from entrepot.trust.pinfile import PinsInvalid
from entrepot.web.admin import Api, admin_application
from entrepot.web.adminapi import AdminApi
from entrepot.web.carryapi import CarryApi
from entrepot.web.connection import Listener
from entrepot.web.crowd import Crowd
from entrepot.web.entrance import Entrance
from entrepot.web.frontend import Frontend, Services
from entrepot.web.guard import Guard
from entrepot.web.originapi import OriginApi
from entrepot.web.prefetchapi import PrefetchApi
from entrepot.web.renewed import Renewed
from entrepot.web.status.pages import StatusPages
from entrepot.web.tlsdoor import TlsDoor

_BACKLOG = 1024

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Server:
    """A running server. `ready` turns false when it begins to drain.

    The addresses are host:port, with the real port where the settings say 0.
    """

    generations: Generations
    crowd: Crowd
    library: Library
    intake: Intake
    prefetch: Prefetch
    schedule: Schedule
    doors: list[Door] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    admin_address: str | None = None
    ready: bool = False
    _reloading: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def services(self) -> Services:
        """What answers new requests; another after each reload."""
        return self.generations.current.services

    @property
    def upkeep(self) -> Upkeep:
        """What looks after the cache."""
        return self.generations.lasting.upkeep

    async def reload(self, load: Callable[[], Settings]) -> Reloaded:
        """Go by the settings that `load`, run in a thread, gives; nothing in progress is disturbed.

        ConfigError when they cannot be used: then everything stays as it was.
        """
        async with self._reloading:
            before = self.generations.current.settings
            pins = self.services.manifests.rules.pins
            try:
                wanted = await asyncio.to_thread(load)
                settings = applicable(before, wanted)
                generation = await self._prepare(settings)
            except ConfigError as error:
                log.warning("settings.refused", reason=str(error))
                raise
            self._succeed(generation)
            if settings.offline != before.offline:  # else what was switched at run time stays
                await self.generations.lasting.outbound.set_offline(settings.offline)
            pinned = generation.services.manifests.rules.pins
            same = await asyncio.to_thread(lambda: pins == pinned)  # a hundred thousand, perhaps
            done = Reloaded.of(before, wanted, settings, () if same else ("trust.pins",))
            told = log.warning if done.restart else log.info
            told(
                "settings.reloaded",
                changed=", ".join(done.changed),
                only_after_a_restart=", ".join(done.restart),
            )
            return done

    async def _prepare(self, settings: Settings) -> Generation:
        try:
            return await self.generations.prepare(settings)
        except (OSError, ValueError, PinsInvalid) as error:
            raise ConfigError([Problem("the settings", 0, "", str(error))]) from error

    def _succeed(self, generation: Generation) -> None:
        """Exchange everything between two requests: there is no await in it."""
        settings, services = generation.settings, generation.services
        self.generations.succeed(generation)
        self.crowd.most, self.crowd.most_per_address = _most(settings.clients)
        keep = tuple(map(str, settings.cache.keep))
        rules = services.manifests.rules
        self.library.follow(services.names, keep, lambda: rules)
        self.intake.follow(services.names, settings.private, lambda: rules)
        self.prefetch.means = generation.means
        self.schedule.follow(appointments_of(settings))
        for door, listen in zip(self.doors, settings.listen, strict=True):
            door.lead_to(generation, listen)


@dataclass(frozen=True, slots=True)
class Door:
    """A listening address, and the handler behind it."""

    listener: Listener
    entrance: Entrance

    def lead_to(self, generation: Generation, listen: ListenSettings) -> None:
        """Let `generation` answer what comes from now on."""
        self.entrance.lead_to(_frontend(generation, listen), generation.use)
        self.listener.follow(generation.settings.clients)


def _frontend(generation: Generation, listen: ListenSettings) -> Frontend:
    services = generation.services
    default = services.names.canonical(listen.registry) if listen.registry else None
    return Frontend(services, default, generation.access)


def _entrance(generation: Generation, listen: ListenSettings) -> Entrance:
    return Entrance(_frontend(generation, listen), generation.use)


@asynccontextmanager
async def running(
    settings: Settings,
    load: Callable[[], Settings] | None = None,
    handed: Handed | None = None,
    origin: Origin | None = None,
) -> AsyncIterator[Server]:
    """Start everything, yield, stop everything in the opposite order.

    Needs no mirror to be reachable (P28). `load` reads the settings anew, for whoever asks the
    admin listener to, and `origin` is told there; `handed` has open sockets. StoreError when the
    cache cannot be used, OSError when an address cannot: nothing is left running then.
    """
    handed = handed or Handed()
    async with AsyncExitStack() as stack:
        lasting = await open_lasting(settings, stack)
        generations = Generations(lasting)
        stack.push_async_callback(generations.aclose)
        stack.push_async_callback(lasting.ahead.aclose)  # it asks by way of a generation
        # No name for it here: that would keep the first one for as long as the server runs.
        generations.succeed(await generations.prepare(settings))
        library = library_of(generations.current.services, lasting.upkeep, settings)
        server = Server(
            generations,
            Crowd(*_most(settings.clients)),
            library,
            intake_of(library, settings),
            *_ahead(stack, generations),
        )
        renewals = TaskOwner("renewals")
        stack.push_async_callback(renewals.aclose)
        if settings.admin is not None:
            await _admin(stack, server, settings.admin, handed, *_apis(server, load, origin))
        for listen in settings.listen:
            entrance = _entrance(generations.current, listen)
            listener = Listener(entrance, settings.clients, server.crowd, lasting.metrics)
            server.doors.append(Door(listener, entrance))
            runner = web.ServerRunner(
                listener,
                handle_signals=False,
                # aiohttp waits so long twice: for the answer, then for its task to end.
                shutdown_timeout=settings.timeouts.drain / 2,
            )
            if listen.tls is None:
                address = await _listen(stack, runner, listen, handed)
            else:
                address = await _listen_tls(
                    stack, runner, listener, listen, renewals=renewals, handed=handed
                )
            server.addresses.append(address)
        for unused in handed:
            log.warning("listen.not_wanted", address=unused, reason="no setting listens there")
        server.ready = True
        lasting.upkeep.start()
        try:
            yield server
        finally:
            server.ready = False
            log.info("server.draining", seconds=settings.timeouts.drain)


def _ahead(stack: AsyncExitStack, generations: Generations) -> tuple[Prefetch, Schedule]:
    """Fetch ahead when it is asked for, and at the times that the settings say."""
    prefetch = Prefetch(generations.current.means)
    prefetch.courtesy = generations.lasting.ahead.courtesy  # else each takes the other for a client
    stack.push_async_callback(prefetch.aclose)
    schedule = Schedule(prefetch)
    stack.push_async_callback(schedule.aclose)
    schedule.follow(appointments_of(generations.current.settings))
    return prefetch, schedule


def _apis(
    server: Server, load: Callable[[], Settings] | None, origin: Origin | None
) -> tuple[Api, Api]:
    """What the admin listener does with the settings."""

    async def reload() -> Reloaded:
        if load is None:
            raise ConfigError([Problem("the settings", 0, "", "are not from a file")])
        return await server.reload(load)

    cache = server.generations.current.settings.cache.path
    outbound = server.generations.lasting.outbound
    origin = origin or Origin(None, None, cache)
    return AdminApi(server.library, reload), OriginApi(origin, lambda: outbound.offline)


async def _admin(
    stack: AsyncExitStack, server: Server, admin: AdminSettings, handed: Handed, *apis: Api
) -> None:
    """Open the admin listener, with `apis` and those that a server always has."""
    guard = await _guard(admin, server.upkeep.cache.store.layout)
    overview = await _overview(stack, server)
    pages = await asyncio.to_thread(StatusPages.load, overview, server.prefetch)
    application = admin_application(
        server.generations.lasting.metrics,
        lambda: server.ready,
        guard,
        *apis,
        CarryApi(server.intake),
        PrefetchApi(server.prefetch),
        pages,
    )
    runner = web.AppRunner(application, access_log=None, handle_signals=False)
    server.admin_address = await _listen(stack, runner, admin, handed)


async def _overview(stack: AsyncExitStack, server: Server) -> Overview:
    """Look on, and remember how it went."""
    lasting = server.generations.lasting
    history = History(lasting.metrics.tally, time.time)
    owner = await stack.enter_async_context(owned("history"))
    _ = owner.start(history.run(), name="samples")
    return Overview(
        library=server.library,
        fills=lasting.fills,
        metrics=lasting.metrics,
        history=history,
        registries=lambda: server.services.manifests.registries,
        private=lambda: server.generations.current.settings.private,
        clock=time.time,
    )


def _most(clients: ClientSettings) -> tuple[int, int | None]:
    """As many clients as are allowed, but none that would leave us without descriptors."""
    most = connections_within(current_limit())
    if clients.connections > most:
        log.warning(
            "clients.fewer_connections",
            asked=clients.connections,
            possible=most,
            reason="this process may not open more files: see LimitNOFILE, ulimit -n",
        )
    return min(clients.connections, most), clients.connections_per_address


async def _listen(
    stack: AsyncExitStack, runner: web.BaseRunner, address: Address, handed: Handed
) -> str:
    """Listen at `address` and tell it with the port that was taken: 0 means any."""
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    open_already = handed.take(address.host, address.port)
    site: web.BaseSite
    if open_already is not None:
        site = web.SockSite(runner, open_already, backlog=_BACKLOG)
    else:
        site = web.TCPSite(runner, address.host, address.port, backlog=_BACKLOG)
    await site.start()
    port = int(runner.addresses[0][1])
    return str(Address(host=address.host, port=port))


async def _guard(admin: AdminSettings, layout: Layout) -> Guard:
    """Guard with the configured token, or with one of our own; StoreError for one that is bad."""

    def token() -> str:
        return admin.token() or keep_secret(layout.admin_token)

    try:
        return Guard(await asyncio.to_thread(token), admin.hosts)
    except (KeyError, ValueError) as error:
        raise StoreError(f"the admin token cannot be used: {error}") from error


async def _listen_tls(
    stack: AsyncExitStack,
    runner: web.BaseRunner,
    listener: Listener,
    listen: ListenSettings,
    *,
    renewals: TaskOwner,
    handed: Handed,
) -> str:
    """Listen with TLS, and look after the certificate; tells the address with the port taken."""
    assert listen.tls is not None
    context = Renewed(listen.tls.files, listen.tls.context)
    await context.load()
    _ = renewals.start(context.keep_fresh(), name="certificate")
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    door = TlsDoor(listener, lambda: context.value)
    open_already = handed.take(listen.host, listen.port)
    port = await door.open(listen.host, listen.port, open_already)
    stack.push_async_callback(door.aclose)
    return str(Address(host=listen.host, port=port))
