"""The admin listener: is it alive, is it ready, what has it counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from entrepot.metrics import Metrics
from entrepot.web.guard import Guard

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

GUARD = web.AppKey("guard", Guard)


class Api(Protocol):
    """A part of `/v1/`, or the status page."""

    def add_to(self, application: web.Application, guard: Guard) -> None:
        """Add every route, guarded."""


def admin_application(
    metrics: Metrics, ready: Callable[[], bool], guard: Guard, *apis: Api
) -> web.Application:
    """The routes of the admin listener; `ready` is false while starting and while draining.

    What only tells how the server is, is open to all who can connect; everything else goes through
    `guard.protect`, or wants a session of the status page. Readiness does not look at mirrors: with
    all of them down the cache is still served (P28).
    """

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready\n")

    async def render(request: web.Request) -> web.Response:
        openmetrics = "application/openmetrics-text" in request.headers.get("Accept", "")
        kind = _OPENMETRICS if openmetrics else _TEXT
        body = await metrics.scrape(openmetrics=openmetrics)
        return web.Response(body=body, headers={"Content-Type": kind})

    application = web.Application()
    application[GUARD] = guard
    application.router.add_get("/livez", livez)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", render)
    for api in apis:
        api.add_to(application, guard)
    return application
