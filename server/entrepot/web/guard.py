"""Who may change something by way of the admin listener.

The token keeps out other users of this machine and of the network. The Host header keeps out the
pages in an operator's browser: a page whose name was rebound to our address still sends that name,
and nothing here answers a preflight, so that no page can send the token either.
"""

from __future__ import annotations

import functools
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web

from entrepot.oci.errorcode import ErrorCode, error_body

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Holds the token; `hosts` are names, besides localhost and addresses, that we go by."""

    def __init__(self, token: str, hosts: Iterable[str] = ()) -> None:
        """ValueError for a token that anybody would guess."""
        if len(token) < 16:
            raise ValueError("the admin token must have at least 16 characters")
        self._token = token.encode()
        self._hosts = frozenset({"localhost", *(host.lower() for host in hosts)})

    def __repr__(self) -> str:
        return "<Guard>"

    def authorized(self, request: web.BaseRequest) -> bool:
        """Whether the token is there, and the request came to us by a name of ours."""
        return self.is_called_by_name(request) and self._has_token(request)

    def is_called_by_name(self, request: web.BaseRequest) -> bool:
        """Whether Host is an address, localhost, or a configured name: never a rebound one."""
        host = request.headers.get("Host", "").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        name = name.removeprefix("[").removesuffix("]")
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def is_token(self, told: str) -> bool:
        """Whether that is the token."""
        return hmac.compare_digest(told.encode("utf-8", "surrogateescape"), self._token)

    def _has_token(self, request: web.BaseRequest) -> bool:
        scheme, _, told = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.is_token(told.strip())

    def protect(self, handler: Handler) -> Handler:
        """Answer 403 or 401 instead of calling `handler`, unless the request is authorized."""

        @functools.wraps(handler)
        async def guarded(request: web.Request) -> web.StreamResponse:
            if not self.is_called_by_name(request):
                told = "this listener does not go by that name: see admin.hosts in the settings"
                return _refusal(403, ErrorCode.DENIED, told)
            if not self._has_token(request):
                response = _refusal(401, ErrorCode.UNAUTHORIZED, "the admin token is needed here")
                response.headers["WWW-Authenticate"] = 'Bearer realm="entrepot-admin"'
                return response
            return await handler(request)

        return guarded


def _refusal(status: int, code: ErrorCode, message: str) -> web.Response:
    body = error_body(code, message)
    return web.Response(status=status, body=body, headers={"Content-Type": "application/json"})
