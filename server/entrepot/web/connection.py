"""One client's connection, and what it is held to before there is a request to answer.

aiohttp reads the requests; this bounds what it would wait for: a head that does not end, a client
that does not take its answer, one connection too many. What cannot be answered as a request is
answered here, in JSON like everything else.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from entrepot.config import ClientSettings
from entrepot.metrics import Metrics
from entrepot.oci.errorcode import ErrorCode, error_body
from entrepot.web.crowd import ADDRESS_FULL, FULL, Crowd
from entrepot.web.errors import RETRY_AFTER_S
from entrepot.web.noise import http_log

MOST_HEAD_BYTES = 64 * 1024
_LINE_BYTES = 16 * 1024
_HEADERS = 128
_LINGER_S = 1.0
"""How long an unwanted body is thrown away, so that its sender still hears the answer."""
_QUIET_S = 60.0
_LOOKS = 4
_LONGEST_PAUSE_S = 5.0

log = structlog.get_logger(__name__)

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Connection(web.RequestHandler):
    """A connection as aiohttp handles it, under the rules of its `Listener`."""

    __slots__ = (
        "_address",
        "_deadline",
        "_head_bytes",
        "_head_since",
        "_inside",
        "_listener",
        "_refused",
        "_seen",
        "_socket",
    )

    def __init__(self, listener: Listener, *, admitted: bool = False, **options: Any) -> None:
        """`admitted`: it has been counted in already."""
        super().__init__(listener, **options)
        self._listener = listener
        self._socket: asyncio.Transport | None = None
        self._address = ""
        self._inside = admitted
        self._refused = False
        self._head_since: float | None = None
        self._head_bytes = 0
        self._seen = 0
        self._deadline: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or say why not: then there is no request and no task for it."""
        assert isinstance(transport, asyncio.Transport)
        self._socket = transport
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        self._listener.watched.add(self)
        reason = None if self._inside else self._listener.crowd.enter(self._address)
        if reason is None:
            self._inside = True
            super().connection_made(transport)
            self._listener.watch()
            return
        self._listener.refused(reason)
        if not self._listener.crowd.stop_outside():
            transport.abort()
            return
        self._refused = True
        self._deadline = self._loop.time() + _LINGER_S
        self._listener.watch()
        self._say(503, ErrorCode.TOOMANYREQUESTS, "too many connections are open; come back later")

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count it out, whichever way it ended."""
        self._listener.watched.discard(self)
        if self._inside:
            self._inside = False
            self._listener.crowd.leave(self._address)
        if self._refused:
            self._listener.crowd.go_away()
        self._socket = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hand it to aiohttp, and see whether a head has begun or ended."""
        if self._refused or not self._inside:
            return
        before = self._request_count
        super().data_received(data)
        if self._request_count != before or self._current_request is not None or self._messages:
            self._head_since, self._head_bytes = None, 0
        elif data:
            self._head_bytes += len(data)
            if self._head_since is None:
                self._head_since = self._loop.time()
            if self._head_bytes > MOST_HEAD_BYTES:
                self._refuse("head_too_large", 431, "the request's head is too long")

    def look(self, now: float) -> None:
        """Cut it off if it has been kept waiting for too long; called every few seconds."""
        transport = self._socket
        if transport is None:
            return
        rules = self._listener.rules
        if self._head_since is not None and now - self._head_since > rules.head:
            self._refuse("slow_head", 408, "the request's head did not come in time")
        waiting = transport.get_write_buffer_size()
        if waiting > self._seen or self._deadline is None:
            # More has been written, so what was there before has been taken.
            self._deadline = now + rules.patience_s(waiting)
        self._seen = waiting
        if not waiting and not self._refused:
            self._deadline = None
        elif now > self._deadline:
            if not self._refused:
                self._listener.refused("slow_reader")
            transport.abort()

    def cut(self) -> None:
        """End it at once."""
        if self._socket is not None:
            self._socket.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be read, or what died, in JSON; the connection ends with it."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        code, told = ErrorCode.UNKNOWN, "internal error"
        if isinstance(exc, HttpProcessingError):
            # Without the parser's words: they repeat what came, which may be a password.
            code, told = ErrorCode.UNSUPPORTED, "this is not an HTTP request that can be read"
            if isinstance(exc, LineTooLong) or "Too many" in str(message):
                status, told = 431, "the request's head is too long"
            self._listener.refused("malformed")
        else:
            http_log().error("answer.died", exc_info=exc)
        response = web.Response(
            status=status,
            body=error_body(code, told),
            headers={"Content-Type": "application/json"},
        )
        response.force_close()
        return response

    def _refuse(self, reason: str, status: int, message: str) -> None:
        self._head_since = None
        self._listener.refused(reason)
        self._say(status, ErrorCode.UNSUPPORTED, message)
        self.force_close()

    def _say(self, status: int, code: ErrorCode, message: str) -> None:
        if self._socket is not None:
            self._socket.write(bare_answer(status, code, message))
            if self._refused and self._socket.can_write_eof():
                self._socket.write_eof()


class Listener(web.Server):
    """Makes the connections of one listening address; `refused` counts those it cuts off."""

    def __init__(
        self, handler: Handler, rules: ClientSettings, crowd: Crowd, metrics: Metrics
    ) -> None:
        super().__init__(
            handler,
            handler_cancellation=True,
            access_log=None,
            logger=http_log(),
            keepalive_timeout=rules.idle,
            lingering_time=_LINGER_S,
            auto_decompress=False,
            max_line_size=_LINE_BYTES,
            max_field_size=_LINE_BYTES,
            max_headers=_HEADERS,
        )
        self.rules = rules
        self.crowd = crowd
        self.watched: set[Connection] = set()
        self._metrics = metrics
        self._timer: asyncio.TimerHandle | None = None
        self._quiet_until = 0.0

    def follow(self, rules: ClientSettings) -> None:
        """Hold clients to other rules; how long one may idle counts for new connections."""
        self.rules = rules
        self._kwargs["keepalive_timeout"] = rules.idle

    def __call__(self) -> Connection:
        """Make the handler of one connection, for asyncio."""
        return Connection(self, loop=self._loop, **self._kwargs)

    def admitted(self) -> Connection:
        """Make the handler of a connection that has been counted in already."""
        return Connection(self, admitted=True, loop=self._loop, **self._kwargs)

    def refused(self, reason: str) -> None:
        """Count a connection that was not let in, or cut off."""
        self._metrics.refused(reason)
        now = self._loop.time()
        if reason in {FULL, ADDRESS_FULL} and now >= self._quiet_until:
            self._quiet_until = now + _QUIET_S
            log.warning("clients.too_many", reason=reason, connections=len(self.crowd))

    def watch(self) -> None:
        """Look at every connection from time to time, for as long as there is one."""
        if self._timer is None:
            shortest = min(self.rules.head, self.rules.stall, _LOOKS * _LINGER_S)
            pause = min(_LONGEST_PAUSE_S, shortest / _LOOKS)
            self._timer = self._loop.call_later(pause, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        for one in list(self.watched):
            one.look(now)
        if self.watched:
            self.watch()

    async def shutdown(self, timeout: float | None = None) -> None:
        """Close every connection; see aiohttp."""
        await super().shutdown(timeout)
        for one in list(self.watched):  # those that were told to go, and have not
            one.cut()
        if self._timer is not None:
            self._timer.cancel()


def bare_answer(status: int, code: ErrorCode, message: str) -> bytes:
    """A whole answer for a connection that is closed after it."""
    body = error_body(code, message)
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if status == 503:
        lines.append(f"Retry-After: {RETRY_AFTER_S}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def is_encrypted(request: web.BaseRequest) -> bool:
    """Whether it came by TLS."""
    transport = request.transport
    return transport is not None and transport.get_extra_info("ssl_object") is not None


def certificate_shown(request: web.BaseRequest) -> bool:
    """Whether the client has shown a certificate that its listener's `client_ca` has signed."""
    if request.transport is None:
        return False
    tls = request.transport.get_extra_info("ssl_object")
    return isinstance(tls, ssl.SSLObject) and bool(tls.getpeercert())
