"""Connection pools: straight on, to an HTTP proxy, or through a SOCKS proxy."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from ssl import SSLCertVerificationError, SSLError

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler
from aiohttp_socks import ProxyConnector, ProxyType
from python_socks import ProxyConnectionError, ProxyError
from yarl import URL

from entrepot.upstream.breakage import ConnectFailure, os_reason, tls_reason
from entrepot.upstream.resolver import PinnedResolver, Resolver
from entrepot.upstream.routes import Route

_FAMILIES = {
    "any": socket.AF_UNSPEC,
    "ipv4": socket.AF_INET,
    "ipv6": socket.AF_INET6,
    "prefer-ipv4": socket.AF_UNSPEC,
    "prefer-ipv6": socket.AF_UNSPEC,
}
_FIRST = {"prefer-ipv4": socket.AF_INET, "prefer-ipv6": socket.AF_INET6}
_SOCKS_PORT = 1080


def connector(route: Route, socks: str | None, tls: ssl.SSLContext) -> aiohttp.TCPConnector:
    """Open a pool without a limit of its own; whoever asked for it closes it.

    Through `socks`, a url, the name goes to the proxy as it is, with socks5:// as with socks5h://:
    a name server that lies is why people have one. `route`'s family then counts for the way to the
    proxy alone.
    """
    family = _FAMILIES[route.family]
    first = _FIRST.get(route.family)
    if socks is not None:
        return SocksConnector(URL(socks), family, tls, Resolver(first))
    resolver = PinnedResolver(route.addresses, first) if route.addresses else Resolver(first)
    return aiohttp.TCPConnector(ssl=tls, limit=0, resolver=resolver, family=family)


class SocksConnector(ProxyConnector):
    """Looks up the proxy's own name where a dead name server holds up nothing else (P28)."""

    def __init__(
        self,
        proxy: URL,
        family: socket.AddressFamily,
        tls: ssl.SSLContext,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`resolver` is for the proxy's own name alone."""
        self._proxy_name = proxy.host or ""
        self._proxy_family = family
        self._proxy_resolver = resolver or Resolver()
        super().__init__(
            host=self._proxy_name,
            port=proxy.port or _SOCKS_PORT,
            proxy_type=ProxyType.SOCKS5,
            username=proxy.user,
            password=proxy.password,
            rdns=True,
            ssl=tls,
            limit=0,
        )

    async def _connect_via_proxy(
        self,
        host: str,
        port: int,
        ssl: ssl.SSLContext | None = None,
        timeout: float | None = None,
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(host, port, ssl)
        except TimeoutError as error:
            raise ConnectFailure(f"the proxy did not reach {host}: timed out") from error
        except ProxyConnectionError as error:
            reason = os_reason(error.__cause__ or error)
            raise ConnectFailure(f"the proxy cannot be reached: {reason}") from error
        except ProxyError as error:
            raise ConnectFailure(f"the proxy does not reach {host}: {error}"[:200]) from error
        except SSLError as error:
            what = f"certificate of {host} not accepted"
            if not isinstance(error, SSLCertVerificationError):
                what = f"no TLS with {host}"
            raise ConnectFailure(f"{what}: {tls_reason(error)}") from error

    async def _connect(
        self, host: str, port: int, tls: ssl.SSLContext | None
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """By the first of the proxy's addresses that takes connections: many listen at one only."""
        resolver, name = self._proxy_resolver, self._proxy_name
        try:
            found = await resolver.resolve(name, self._proxy_port, self._proxy_family)
        except OSError as error:
            raise ConnectFailure("no such host: that of the proxy") from error
        *others, last = (address["host"] for address in found)
        for address in others:
            with suppress(ProxyConnectionError):
                return await self._connect_by(address, host, port, tls)
        return await self._connect_by(last, host, port, tls)

    async def _connect_by(
        self, proxy: str, host: str, port: int, tls: ssl.SSLContext | None
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        self._proxy_host = proxy  # read before the first await
        return await super()._connect_via_proxy(host, port, tls)
