"""The HTTP client of one mirror, set up so that bytes and headers pass as they are (X-7)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path

import aiohttp
from yarl import URL

from entrepot import __version__
from entrepot.config import MirrorSettings, TimeoutSettings
from entrepot.errors import AttemptError, MirrorUnreachable
from entrepot.upstream.breakage import translate
from entrepot.upstream.certificates import Certificates
from entrepot.upstream.connectors import connector
from entrepot.upstream.outbound import Outbound
from entrepot.upstream.proxy import choose_proxy, environment_proxies, is_socks
from entrepot.upstream.routes import Route, Routes, read_routes

READ_BUFFER_BYTES = 1 << 20
_LONGEST_HEADER_BYTES = 64 << 10  # signed urls in Location grow long
_CLOSED = "this mirror's client is closed"


class Transport:
    """The connection pools of one mirror. `start` before the first request, `aclose` at the end.

    One pool for each route and SOCKS proxy in use. No cookies, no decoding, no redirects followed,
    no netrc, no total time limit: time limits other than that for connecting are the caller's.
    """

    def __init__(
        self,
        settings: MirrorSettings,
        timeouts: TimeoutSettings,
        outbound: Outbound | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        """`certificates` may be shared with the transports of other mirrors."""
        self._outbound = outbound or Outbound()
        self._certificates = certificates or Certificates()
        self._settings = settings
        self._timeouts = timeouts
        self._routes: Routes | None = None
        self._contexts: dict[Path | None, ssl.SSLContext] = {}
        self._pools: dict[tuple[Route, str | None], aiohttp.ClientSession] = {}
        self._environment: dict[str, str] = {}

    async def start(self) -> None:
        """Get ready; OSError or ssl.SSLError when a CA or a proxy's login cannot be read."""
        self._environment = environment_proxies()
        self._contexts, self._routes = await asyncio.to_thread(self._read)

    async def aclose(self) -> None:
        """Close every connection; safe to call twice, and without `start`."""
        self._routes = None
        await self.hang_up()

    async def hang_up(self) -> None:
        """Close every connection, in use or not; the next `send` opens new ones."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.close()

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """Send one request and wait for the head of its answer, whatever its status.

        The caller closes the response. MirrorUnreachable when there is no answer, MirrorLied for a
        url that cannot be sent, and MirrorOffline, before anything is looked up, while offline.
        """
        self._outbound.check()
        if self._routes is None:
            raise MirrorUnreachable(_CLOSED)
        route = self._routes.choose(url)
        proxy = choose_proxy(url, route, self._environment)
        socks = proxy if is_socks(proxy) else None
        try:
            response = await self._pool(route, socks).request(
                method,
                url,
                headers=headers,
                allow_redirects=False,
                proxy=None if socks else proxy,
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self._outbound.check()  # the connection was taken away, which is no fault of the mirror
            raise self._failure(error, url) from error
        except RuntimeError as error:  # the session was closed meanwhile
            self._outbound.check()
            raise MirrorUnreachable(_CLOSED) from error
        if proxy is not None and response.status == 407:
            response.close()
            raise MirrorUnreachable("the proxy wants another login: it answered 407")
        return response

    def _pool(self, route: Route, socks: str | None) -> aiohttp.ClientSession:
        pool = self._pools.get((route, socks))
        if pool is None:
            pool = self._pools[route, socks] = aiohttp.ClientSession(
                connector=connector(route, socks, self._contexts[route.ca]),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect),
                auto_decompress=False,
                requote_redirect_url=False,
                read_bufsize=READ_BUFFER_BYTES,
                max_field_size=_LONGEST_HEADER_BYTES,
                max_line_size=_LONGEST_HEADER_BYTES,
                headers={"User-Agent": f"entrepot/{__version__}", "Accept-Encoding": "identity"},
            )
        return pool

    def _failure(self, error: Exception, url: URL) -> AttemptError:
        host = url.host or ""
        return translate(error, host if url.is_default_port() else f"{host}:{url.port}")

    def _read(self) -> tuple[dict[Path | None, ssl.SSLContext], Routes]:
        """Read certificates and logins: from files, so on a thread of its own."""
        routes = read_routes(self._settings)
        context, insecure = self._certificates.context, self._settings.insecure
        authorities = {route.ca for route in routes.all()}
        return {ca: context(ca, insecure=insecure) for ca in authorities}, routes
