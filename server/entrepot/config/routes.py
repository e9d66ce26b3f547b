"""How a host is reached: proxy, addresses, certificates."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from entrepot.config.addresses import DIRECT, HostPattern, IpAddress, ProxyUrl
from entrepot.config.credentials import Credentials
from entrepot.config.frozen import Frozen, ReadableFile

Family = Literal["any", "ipv4", "ipv6", "prefer-ipv4", "prefer-ipv6"]


class RedirectRule(Frozen):
    """How to reach the hosts that a mirror sends us on to, where that differs from the mirror.

    None means: as the mirror itself. Pinned addresses are not taken over from it.
    """

    host: HostPattern
    # A proxy's url may carry its password.
    proxy: ProxyUrl | None = Field(default=None, repr=False)
    proxy_credentials: Credentials | None = None
    ca: ReadableFile | None = None
    family: Family | None = None
    addresses: tuple[IpAddress, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> RedirectRule:
        check_login(self.proxy, self.proxy_credentials)
        check_addresses(self.addresses, self.proxy, self.family)
        return self


def check_login(proxy: str | None, credentials: Credentials | None) -> None:
    """ValueError when there is nobody to log in to, or when a login is given twice."""
    if credentials is None:
        return
    if proxy in {None, DIRECT}:
        raise ValueError("proxy_credentials without a proxy")
    if "@" in urlsplit(proxy or "").netloc:
        raise ValueError("a name in the proxy's url and proxy_credentials: keep one")


def check_addresses(addresses: Sequence[str], proxy: str | None, family: str | None) -> None:
    """ValueError when addresses are pinned that would never be connected to."""
    if addresses and proxy not in {None, DIRECT}:
        raise ValueError("addresses cannot be pinned behind a proxy: it looks the name up itself")
    version = {"ipv4": 4, "ipv6": 6}.get(family or "any")
    if version and any(ipaddress.ip_address(one).version != version for one in addresses):
        raise ValueError(f"family: {family} leaves some of these addresses out")
