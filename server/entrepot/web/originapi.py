"""`/v1/settings`: which files the server goes by, for commands that were told none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from entrepot.config.origin import Origin
from entrepot.web.guard import Guard


@dataclass(frozen=True, slots=True)
class OriginApi:
    """Names files and tells nothing of what is in them, but whether anything may go out.

    Without the token: who asks learns from the answer where the token is.
    """

    origin: Origin
    offline: Callable[[], bool] = lambda: False

    def add_to(self, application: web.Application, guard: Guard) -> None:
        """Add the route; it is for those who call us by a name of ours."""

        async def settings(request: web.Request) -> web.Response:
            if not guard.is_called_by_name(request):
                raise web.HTTPForbidden
            return web.json_response(self.origin.document() | {"offline": self.offline()})

        application.router.add_get("/v1/settings", settings)
