"""A cache that no server uses, asked like a server: the admin listener's answers, no network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

from entrepot.assembly import assemble_at_rest, intake_of
from entrepot.config import Settings
from entrepot.metrics import Metrics
from entrepot.web.admin import admin_application
from entrepot.web.adminapi import AdminApi
from entrepot.web.carryapi import CarryApi
from entrepot.web.guard import Guard
from entrepot.web.privateline import PrivateLine, private_line

Line: TypeAlias = PrivateLine


@asynccontextmanager
async def at_rest(settings: Settings, token: str) -> AsyncIterator[Line]:
    """Open the cache and answer whoever has `token`; StoreLocked when a server uses it."""
    async with AsyncExitStack() as stack:
        library = await assemble_at_rest(settings, stack)
        apis = AdminApi(library), CarryApi(intake_of(library, settings))
        application = admin_application(Metrics(), lambda: False, Guard(token), *apis)
        yield await stack.enter_async_context(private_line(application))
