"""Keeps a test on this machine."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

_RESERVED = (".invalid", ".test", ".example")
_SENDING = {"socket.connect", "socket.sendto", "socket.sendmsg"}


class Loopback:
    """An audit hook: connecting or sending anywhere else is refused, and noted in `found`.

    Names are not looked up over the network either: reserved ones (RFC 6761) do not exist, as
    real resolvers would say; any other is noted as an attempt to leave.
    """

    def __init__(self) -> None:
        self.found: list[str] = []

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _SENDING:
            address = arguments[1]
            if isinstance(address, tuple) and not _stays(str(address[0])):
                self.found.append(f"{address[0]}:{address[1]}")
                raise PermissionError(f"tests stay on 127.0.0.0/8, not {address}")
        elif event == "socket.getaddrinfo":
            self._look_up(arguments[0])

    def _look_up(self, host: object) -> None:
        name = host.decode() if isinstance(host, bytes) else host
        if not isinstance(name, str) or name == "" or _is_address(name) or name == "localhost":
            return
        if not name.rstrip(".").endswith(_RESERVED):
            self.found.append(name)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _stays(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
