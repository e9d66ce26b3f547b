"""Which proxy stands between us and a url (X-7)."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping

from yarl import URL

from entrepot.config import DIRECT
from entrepot.upstream.routes import Route

_KINDS = ("http://", "https://", "socks5://", "socks5h://")


def environment_proxies() -> dict[str, str]:
    """Read HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in either case, by lower-case kind."""
    return urllib.request.getproxies_environment()


def choose_proxy(url: URL, route: Route, environment: Mapping[str, str]) -> str | None:
    """Tell the proxy for `url`: the route's own if it has one, else the environment's.

    Pinned addresses need no proxy, and get none from the environment. Kinds that are not
    understood are passed over there. The answer may hold a password: not for messages or logs.
    """
    if route.proxy is not None or route.addresses:
        return None if route.proxy == DIRECT else route.proxy
    host = url.host or ""
    if urllib.request.proxy_bypass(host, dict(environment)):
        return None
    for kind in (url.scheme, "all"):
        proxy = environment.get(kind, "")
        if proxy.lower().startswith(_KINDS):
            return proxy
    return None


def is_socks(proxy: str | None) -> bool:
    """Whether `proxy` speaks SOCKS rather than HTTP."""
    return proxy is not None and proxy.lower().startswith("socks")
