"""By which way a mirror is reached, in a few words and without passwords."""

from __future__ import annotations

from collections.abc import Mapping

from yarl import URL

from entrepot.config import MirrorSettings
from entrepot.upstream.proxy import choose_proxy
from entrepot.upstream.routes import Route


def route_text(settings: MirrorSettings, environment: Mapping[str, str]) -> str:
    """Tell the way to the mirror itself: "direct", "socks5://proxy:1080", "direct to 10.0.0.5".

    `environment` is what `environment_proxies` found.
    """
    route = Route(settings.proxy, settings.ca, settings.family, settings.addresses)
    proxy = choose_proxy(URL(settings.url), route, environment)
    if proxy is not None:
        return str(URL(proxy).with_user(None).origin())
    family = "" if settings.family == "any" else f" ({settings.family})"
    to = f" to {', '.join(settings.addresses)}" if settings.addresses else ""
    return f"direct{to}{family}"
