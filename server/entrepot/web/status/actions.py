"""What an admin may do from the page: each a form that is sent, and the page again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TypeAlias
from urllib.parse import urlencode

import structlog
from aiohttp import web
from multidict import MultiDictProxy

from entrepot.errors import NameInvalid, Offline
from entrepot.mirror.library import Library
from entrepot.mirror.prefetch import Prefetch
from entrepot.web.guard import Guard
from entrepot.web.status.ahead import read_order
from entrepot.web.status.sessions import Sessions, comes_from_here, is_form_of

log = structlog.get_logger(__name__)

Form: TypeAlias = MultiDictProxy[str | bytes | bytearray | web.FileField]
Act: TypeAlias = Callable[[Form], Awaitable[str]]
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Actions:
    """Every action wants a session, which wants the token, and the secret of its forms."""

    def __init__(
        self, library: Library, prefetch: Prefetch, sessions: Sessions, guard: Guard
    ) -> None:
        self._library = library
        self._prefetch = prefetch
        self._sessions = sessions
        self._guard = guard

    def all(self) -> Iterator[tuple[str, Handler]]:
        """Name every action, with its handler."""
        yield "login", self.login
        yield "logout", self.logout
        for name, act in (
            ("offline", self._offline),
            ("keep", self._keep),
            ("unkeep", self._unkeep),
            ("remove", self._remove),
            ("prefetch", self._begin_prefetch),
        ):
            yield name, self._guarded(name, act)

    async def login(self, request: web.Request) -> web.StreamResponse:
        """Begin a session for whoever knows the token."""
        if not comes_from_here(request):
            return _refused("this form is on another site's page")
        told = (await request.post()).get("token")
        if not isinstance(told, str) or not self._guard.is_token(told.strip()):
            log.warning("admin.wrong_token", client=request.remote)
            return _refused("that is not the admin token", 401)
        response = _to("/status")
        self._sessions.begin(response)
        return response

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """End the session."""
        session = self._sessions.of(request)
        if session is not None and not is_form_of(session, (await request.post()).get("form")):
            return _refused("this form is on another site's page")
        response = _to("/status")
        self._sessions.end(request, response)
        return response

    def _guarded(self, name: str, act: Act) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            session = self._sessions.of(request)
            if session is None:
                return _refused("log in with the admin token first", 401)
            form = await request.post()
            if not comes_from_here(request) or not is_form_of(session, form.get("form")):
                return _refused("this form is on another site's page")
            where = await act(form)
            log.info("admin.acted", action=name, name=form.get("name", ""), client=request.remote)
            return _to(where)

        return guarded

    async def _offline(self, form: Form) -> str:
        outbound = self._library.outbound
        if outbound is None:
            raise Offline("no server runs here")
        await outbound.set_offline(form.get("offline") == "on")
        return "/status"

    async def _keep(self, form: Form) -> str:
        name = _name(form)
        await self._library.keep(name)
        return _image(name)

    async def _unkeep(self, form: Form) -> str:
        name = _name(form)
        await self._library.unkeep(name)
        return _image(name)

    async def _remove(self, form: Form) -> str:
        await self._library.remove(_name(form))
        return "/status"

    async def _begin_prefetch(self, form: Form) -> str:
        self._prefetch.start(read_order(form, self._library.names))
        return "/status#fetching-ahead"


def _name(form: Form) -> str:
    name = form.get("name")
    if not isinstance(name, str) or not name:
        raise NameInvalid("the form names no image")
    return name


def _image(name: str) -> str:
    return f"/status/image?{urlencode({'name': name})}"


def _to(where: str) -> web.Response:
    return web.Response(status=303, headers={"Location": where})


def _refused(why: str, status: int = 403) -> web.Response:
    return web.Response(status=status, text=f"{why}\n")
