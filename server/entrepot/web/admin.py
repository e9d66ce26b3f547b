"""The admin listener: is it alive, is it ready, what has it counted."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from entrepot.metrics import Metrics

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


def admin_application(metrics: Metrics, ready: Callable[[], bool]) -> web.Application:
    """The routes of the admin listener; `ready` is false while starting and while draining.

    Readiness does not look at mirrors: with all of them down the cache is still served (P28).
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
    application.router.add_get("/livez", livez)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", render)
    return application
