"""The composition root: settings become objects, objects become listeners; start and stop order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from entrepot.assembly import assemble, intake_of, library_of, prefetch_of
from entrepot.config import Address, AdminSettings, ClientSettings, ListenSettings, Settings
from entrepot.descriptors import connections_within, current_limit
from entrepot.errors import StoreError
from entrepot.store.layout import Layout
from entrepot.store.secretfile import keep_secret
from entrepot.store.upkeep import Upkeep
from entrepot.tasks import TaskOwner
from entrepot.web.access import Access
from entrepot.web.admin import admin_application
from entrepot.web.adminapi import AdminApi
from entrepot.web.carryapi import CarryApi
from entrepot.web.connection import Listener
from entrepot.web.crowd import Crowd
from entrepot.web.frontend import Frontend, Services
from entrepot.web.guard import Guard
from entrepot.web.passwords import Passwords
from entrepot.web.prefetchapi import PrefetchApi
from entrepot.web.renewed import Renewed
from entrepot.web.tlsdoor import TlsDoor

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Server:
    """A running server. `ready` turns false when it begins to drain.

    The addresses are host:port, with the real port where the settings say 0.
    """

    services: Services
    upkeep: Upkeep
    crowd: Crowd
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
        services, upkeep = await assemble(settings, stack)
        server = Server(services, upkeep, _crowd(settings.clients))
        renewals = TaskOwner("renewals")
        stack.push_async_callback(renewals.aclose)
        access = await _access(settings, renewals)
        prefetch = prefetch_of(services, settings, stack)
        if settings.admin is not None:
            guard = await _guard(settings.admin, Layout(settings.cache.path))
            library = library_of(services, upkeep, settings)
            apis = (
                AdminApi(library),
                CarryApi(intake_of(library, settings)),
                PrefetchApi(prefetch),
            )
            admin = web.AppRunner(
                admin_application(services.metrics, lambda: server.ready, guard, *apis),
                access_log=None,
                handle_signals=False,
            )
            server.admin_address = await _listen(stack, admin, settings.admin)
        for listen in settings.listen:
            default = services.names.canonical(listen.registry) if listen.registry else None
            listener = Listener(
                Frontend(services, default, access),
                settings.clients,
                server.crowd,
                services.metrics,
            )
            runner = web.ServerRunner(
                listener,
                handle_signals=False,
                # aiohttp waits so long twice: for the answer, then for its task to end.
                shutdown_timeout=settings.timeouts.drain / 2,
            )
            if listen.tls is None:
                address = await _listen(stack, runner, listen)
            else:
                address = await _listen_tls(stack, runner, listener, listen, renewals)
            server.addresses.append(address)
        server.ready = True
        upkeep.start()
        try:
            yield server
        finally:
            server.ready = False
            log.info("server.draining", seconds=settings.timeouts.drain)


def _crowd(clients: ClientSettings) -> Crowd:
    """As many clients as are allowed, but none that would leave us without descriptors."""
    most = connections_within(current_limit())
    if clients.connections > most:
        log.warning(
            "clients.fewer_connections",
            asked=clients.connections,
            possible=most,
            reason="this process may not open more files: see LimitNOFILE, ulimit -n",
        )
    return Crowd(min(clients.connections, most), clients.connections_per_address)


async def _listen(stack: AsyncExitStack, runner: web.BaseRunner, address: Address) -> str:
    """Listen at `address` and tell it with the port that was taken: 0 means any."""
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, address.host, address.port, backlog=1024)
    await site.start()
    port = int(runner.addresses[0][1])
    return str(Address(host=address.host, port=port))


async def _access(settings: Settings, renewals: TaskOwner) -> Access:
    passwords = None
    if settings.auth.htpasswd is not None:
        users = Renewed([settings.auth.htpasswd], settings.auth.users)
        await users.load()
        _ = renewals.start(users.keep_fresh(), name="htpasswd")
        passwords = Passwords(lambda: users.value)
    for warning in settings.exposures():
        log.warning("settings.exposed", reason=warning)
    return Access(settings.private, settings.auth.required, passwords)


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
    renewals: TaskOwner,
) -> str:
    """Listen with TLS, and look after the certificate; tells the address with the port taken."""
    assert listen.tls is not None
    context = Renewed(listen.tls.files, listen.tls.context)
    await context.load()
    _ = renewals.start(context.keep_fresh(), name="certificate")
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    door = TlsDoor(listener, lambda: context.value)
    port = await door.open(listen.host, listen.port)
    stack.push_async_callback(door.aclose)
    return str(Address(host=listen.host, port=port))
