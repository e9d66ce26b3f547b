"""Which way leads to a url: the mirror's own, the one for what it sends us on to, or a rule's."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field, replace
from pathlib import Path

from yarl import URL

from entrepot.config import Credentials, MirrorSettings
from entrepot.upstream.redirects import same_origin


@dataclass(frozen=True, slots=True)
class Route:
    """How to connect. `proxy` is a url, maybe with a password, "direct", or None: see `proxy.py`.

    `family` is a `Family` of the settings; `addresses` stand for whatever host is asked for.
    """

    proxy: str | None = field(default=None, repr=False)
    ca: Path | None = None
    family: str = "any"
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routes:
    """The ways of one mirror: `own` to its own origin, `rules` by pattern, `onward` elsewhere."""

    mirror: URL
    own: Route
    onward: Route
    rules: tuple[tuple[str, Route], ...] = ()

    def choose(self, url: URL) -> Route:
        """Tell the way to `url`: the first rule that matches its host counts."""
        if same_origin(url, self.mirror):
            return self.own
        host = (url.host or "").rstrip(".").lower()
        for pattern, route in self.rules:
            if fnmatch.fnmatchcase(host, pattern):
                return route
        return self.onward

    def all(self) -> set[Route]:
        """Tell every way there is."""
        return {self.own, self.onward, *(route for _, route in self.rules)}


def read_routes(settings: MirrorSettings) -> Routes:
    """Read the ways of a mirror; OSError when a proxy's credentials cannot be read any more.

    May read files: not on the event loop.
    """
    own = Route(
        proxy=_with_login(settings.proxy, settings.proxy_credentials),
        ca=settings.ca,
        family=settings.family,
        addresses=settings.addresses,
    )
    onward = replace(own, addresses=())
    rules = tuple(
        (
            rule.host,
            Route(
                proxy=_with_login(rule.proxy, rule.proxy_credentials) or own.proxy,
                ca=rule.ca or own.ca,
                family=rule.family or own.family,
                addresses=rule.addresses,
            ),
        )
        for rule in settings.redirects
    )
    return Routes(URL(settings.url), own, onward, rules)


def _with_login(proxy: str | None, credentials: Credentials | None) -> str | None:
    if proxy is None or credentials is None:
        return proxy
    try:
        username, password = credentials.username, credentials.password
    except (KeyError, ValueError) as error:
        raise OSError("the proxy's credentials cannot be read any more") from error
    return str(URL(proxy).with_user(username).with_password(password))
