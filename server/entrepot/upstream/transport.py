"""The HTTP client of one mirror, set up so that bytes and headers pass as they are (X-7)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping

import aiohttp
from yarl import URL

from entrepot import __version__
from entrepot.config import MirrorSettings, TimeoutSettings
from entrepot.errors import AttemptError, MirrorUnreachable
from entrepot.upstream.breakage import translate
from entrepot.upstream.proxy import choose_proxy, environment_proxies
from entrepot.upstream.resolver import Resolver

READ_BUFFER_BYTES = 1 << 20
_LONGEST_HEADER_BYTES = 64 << 10  # signed urls in Location grow long


class Transport:
    """One connection pool. `start` before the first request, `aclose` after the last.

    No cookies, no decoding, no redirects followed, no netrc, no total time limit: time limits
    other than that for connecting are the caller's.
    """

    def __init__(self, settings: MirrorSettings, timeouts: TimeoutSettings) -> None:
        self._settings = settings
        self._timeouts = timeouts
        self._session: aiohttp.ClientSession | None = None
        self._environment: dict[str, str] = {}

    async def start(self) -> None:
        """Open the pool; OSError or ssl.SSLError when the configured CA cannot be read."""
        context = await asyncio.to_thread(self._tls_context)
        self._environment = environment_proxies()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0, resolver=Resolver()),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect),
            auto_decompress=False,
            requote_redirect_url=False,
            read_bufsize=READ_BUFFER_BYTES,
            max_field_size=_LONGEST_HEADER_BYTES,
            max_line_size=_LONGEST_HEADER_BYTES,
            headers={"User-Agent": f"entrepot/{__version__}", "Accept-Encoding": "identity"},
        )

    async def aclose(self) -> None:
        """Close every connection; safe to call twice, and without `start`."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """Send one request and wait for the head of its answer, whatever its status.

        The caller closes the response. MirrorUnreachable when there is no answer, and MirrorLied
        for a url that cannot be sent.
        """
        if self._session is None:
            raise MirrorUnreachable("this mirror's client is closed")
        try:
            return await self._session.request(
                method,
                url,
                headers=headers,
                allow_redirects=False,
                proxy=choose_proxy(url, self._settings.proxy, self._environment),
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._failure(error, url) from error
        except RuntimeError as error:  # the session was closed meanwhile
            raise MirrorUnreachable("this mirror's client is closed") from error

    def _failure(self, error: Exception, url: URL) -> AttemptError:
        host = url.host or ""
        return translate(error, host if url.is_default_port() else f"{host}:{url.port}")

    def _tls_context(self) -> ssl.SSLContext:
        """Build the TLS context: reads the system's certificates, so on a thread of its own."""
        context = ssl.create_default_context()
        if self._settings.ca is not None:
            context.load_verify_locations(cafile=self._settings.ca)
        if self._settings.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
