"""What a service manager hands on, and wants to hear, as systemd does it.

Sockets come as descriptors from 3 on (LISTEN_FDS), how we are goes to a socket (NOTIFY_SOCKET).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, MutableMapping

_FIRST = 3
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


class Handed:
    """Listening sockets that were opened for us. Whoever takes one closes it."""

    def __init__(self, sockets: Iterable[socket.socket] = ()) -> None:
        self._sockets = list(sockets)

    @classmethod
    def on(cls, environment: MutableMapping[str, str]) -> Handed:
        """Take over what was handed on to this process; nothing for its children. Blocks shortly.

        What is no listening TCP socket is left alone.
        """
        pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
        environment.pop("LISTEN_FDNAMES", None)
        if pid != str(os.getpid()) or not count.isdecimal():
            return cls()
        sockets = [socket.socket(fileno=_FIRST + number) for number in range(int(count))]
        for one in sockets:
            os.set_inheritable(one.fileno(), False)
        return cls(one for one in sockets if _listens(one))

    def __iter__(self) -> Iterator[str]:
        """Tell the addresses of those that nobody has taken."""
        return (_address(one) for one in self._sockets)

    def take(self, host: str, port: int) -> socket.socket | None:
        """Give the socket for an address, if there is one: everywhere includes it."""
        for one in self._sockets:
            name = one.getsockname()
            here = name[0] == host or name[0] in _EVERYWHERE or host in _EVERYWHERE
            if name[1] == port and here:
                self._sockets.remove(one)
                one.setblocking(False)
                return one
        return None


def notify(environment: MutableMapping[str, str], *told: str) -> None:
    """Tell the manager, such as "READY=1"; nothing without one. It never waits."""
    where = environment.get("NOTIFY_SOCKET", "")
    if not where.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.setblocking(False)
        try:
            one.connect(where.replace("@", "\0", 1) if where.startswith("@") else where)
            _ = one.send("\n".join(told).encode())
        except OSError:
            return  # whoever does not listen does not want to hear it


def _listens(one: socket.socket) -> bool:
    inet = one.family in {socket.AF_INET, socket.AF_INET6} and one.type == socket.SOCK_STREAM
    return inet and bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _address(one: socket.socket) -> str:
    host, port = one.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
