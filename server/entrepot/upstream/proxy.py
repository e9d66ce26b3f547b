"""Which HTTP proxy stands between us and a url (X-7)."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping

from yarl import URL


def environment_proxies() -> dict[str, str]:
    """Read HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in either case, by lower-case kind."""
    return urllib.request.getproxies_environment()


def choose_proxy(url: URL, configured: str | None, environment: Mapping[str, str]) -> str | None:
    """Tell the proxy for `url`: the mirror's own if one is configured, else the environment's.

    Only http and https proxies are understood; others in the environment are passed over. The
    answer may hold a password: not for messages or logs.
    """
    if configured is not None:
        return configured
    host = url.host or ""
    if urllib.request.proxy_bypass(host, dict(environment)):
        return None
    for kind in (url.scheme, "all"):
        proxy = environment.get(kind, "")
        if proxy.startswith(("http://", "https://")):
            return proxy
    return None
