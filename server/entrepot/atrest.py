"""A cache that no server uses, asked like a server: the admin listener's answers, no network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

from entrepot.assembly import assemble_at_rest, intake_of, library_of, open_lasting
from entrepot.config import Settings
from entrepot.generation import Generations
from entrepot.metrics import Metrics
from entrepot.mirror.prefetch import Prefetch
from entrepot.web.admin import Api, admin_application
from entrepot.web.adminapi import AdminApi
from entrepot.web.carryapi import CarryApi
from entrepot.web.guard import Guard
from entrepot.web.prefetchapi import PrefetchApi
from entrepot.web.privateline import PrivateLine, private_line

Line: TypeAlias = PrivateLine


@asynccontextmanager
async def at_rest(settings: Settings, token: str, *, fetching: bool = False) -> AsyncIterator[Line]:
    """Open the cache and answer whoever has `token`; StoreLocked when a server uses it.

    With `fetching` mirrors are asked for what somebody wants fetched, as a server would.
    """
    async with AsyncExitStack() as stack:
        apis: list[Api]
        if fetching:
            lasting = await open_lasting(settings, stack)
            generations = Generations(lasting)
            stack.push_async_callback(generations.aclose)
            generations.succeed(await generations.prepare(settings))
            current = generations.current
            library = library_of(current.services, lasting.upkeep, settings)
            prefetch = Prefetch(current.means)
            stack.push_async_callback(prefetch.aclose)
            apis = [PrefetchApi(prefetch)]
        else:
            library = await assemble_at_rest(settings, stack)
            apis = []
        apis += [AdminApi(library), CarryApi(intake_of(library, settings))]
        application = admin_application(Metrics(), lambda: False, Guard(token), *apis)
        yield await stack.enter_async_context(private_line(application))
