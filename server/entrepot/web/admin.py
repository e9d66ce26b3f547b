"""The admin listener: is it alive, is it ready, what has it counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from entrepot.metrics import Metrics
from entrepot.web.guard import Guard

_TEXT = "text/plain; version=0.0.4; charset=utf-8"

GUARD = web.AppKey("guard", Guard)


class Api(Protocol):
    """A part of `/v1/`."""

    def add_to(self, application: web.Application, guard: Guard) -> None:
        """Add every route, guarded."""


def admin_application(
    metrics: Metrics, ready: Callable[[], bool], guard: Guard, *apis: Api
) -> web.Application:
    """The routes of the admin listener; `ready` is false while starting and while draining.

    What only tells how the server is, is open to all who can connect; everything else goes through
    `guard.protect`. Readiness does not look at mirrors: with all of them down the cache is still
    served (P28).
    """

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready\n")

    async def render(_: web.Request) -> web.Response:
        return web.Response(body=await metrics.scrape(), headers={"Content-Type": _TEXT})

    application = web.Application()
    application[GUARD] = guard
    application.router.add_get("/livez", livez)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", render)
    for api in apis:
        api.add_to(application, guard)
    return application
