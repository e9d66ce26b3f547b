"""Who has shown the admin token in a browser, for as long as that counts.

A session is a random name in a cookie that scripts cannot read and other sites cannot send. Each
form holds a second secret of the session, so that a page elsewhere cannot make one up.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

COOKIE = "entrepot_admin"
LASTS_S = 12 * 3600.0
_MOST = 64


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that may act until `ends`, in loop time; `form` is what its forms hold."""

    form: str
    ends: float


class Sessions:
    """Those that are open, the newest 64 at most."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Session] = OrderedDict()

    def begin(self, response: web.StreamResponse) -> None:
        """Open one and give it to whoever gets `response`."""
        name = secrets.token_urlsafe(32)
        ends = asyncio.get_running_loop().time() + LASTS_S
        self._open[name] = Session(secrets.token_urlsafe(32), ends)
        while len(self._open) > _MOST:
            self._open.popitem(last=False)
        response.set_cookie(
            COOKIE, name, max_age=int(LASTS_S), httponly=True, samesite="Strict", path="/"
        )

    def of(self, request: web.BaseRequest) -> Session | None:
        """Tell whose request it is; None when nobody has logged in there, or too long ago."""
        name = request.cookies.get(COOKIE, "")
        session = self._open.get(name)
        if session is not None and session.ends < asyncio.get_running_loop().time():
            del self._open[name]
            return None
        return session

    def end(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Close the one that `request` belongs to, if any."""
        self._open.pop(request.cookies.get(COOKIE, ""), None)
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")


def comes_from_here(request: web.BaseRequest) -> bool:
    """Whether no other site's page has sent it, by what browsers say of that."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("Host", "")


def is_form_of(session: Session, told: object) -> bool:
    """Whether a form holds what those of `session` do."""
    return isinstance(told, str) and hmac.compare_digest(told.encode(), session.form.encode())
