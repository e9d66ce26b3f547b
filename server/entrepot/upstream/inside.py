"""Hosts that only make sense behind our own door: where no stranger may send us."""

from __future__ import annotations

import ipaddress


def is_this_machine(host: str) -> bool:
    """Whether `host` is written as this machine or its link: loopback, link-local, 0.0.0.0."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = read_address(host)
    return address is not None and (
        address.is_loopback or address.is_link_local or address.is_unspecified
    )


def is_inside(host: str) -> bool:
    """Whether `host` is written as this machine or as an address that is not of the Internet.

    Names are not looked up: what they mean is the resolver's word, and may be a proxy's affair.
    """
    if is_this_machine(host):
        return True
    address = read_address(host)
    return address is not None and not address.is_global


def read_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address without its brackets and zone; an IPv4 one inside IPv6 comes out as such."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
