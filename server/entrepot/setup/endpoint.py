"""Where an Entrepot answers, read as if by an enemy: it ends up in files and in a shell script."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ADDRESS = re.compile(
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)
_LOCAL = re.compile(r"localhost|127(?:\.\d+){3}|\[::1\]", re.ASCII | re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A scheme, a host and a port, which clients get to see exactly so."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str, scheme: str = "http") -> Endpoint:
        """Read `10.0.0.5:5000`, `mirror.lan` or `https://[fd00::5]:5443/`; ValueError otherwise.

        `scheme` is meant where none is written.
        """
        before, written, rest = text.partition("://")
        scheme, address = (before, rest.removesuffix("/")) if written else (scheme, text)
        match = _ADDRESS.fullmatch(address)
        if scheme not in _PORTS or match is None or ".." in address:
            raise ValueError(
                f"not the address of a mirror: {text[:80]!r};"
                " write 10.0.0.5:5000 or https://mirror.lan:5443"
            )
        port = int(match["port"] or _PORTS[scheme])
        if not 0 < port <= 65535:
            raise ValueError(f"not a port: {port}")
        return cls(scheme, match["host"].lower(), port)

    @property
    def address(self) -> str:
        """As in an image's name: the port is left out when the scheme implies it."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Without a slash at the end, which some clients take for a path (rule S-1, shape S6)."""
        return f"{self.scheme}://{self.address}"

    @property
    def is_plain(self) -> bool:
        """Whether it speaks plain HTTP."""
        return self.scheme == "http"

    @property
    def is_local(self) -> bool:
        """Whether it means the machine it is used on, so not the same one inside a container."""
        return _LOCAL.fullmatch(self.host) is not None

    def with_port(self, port: int) -> Endpoint:
        """The same host at another port."""
        return Endpoint(self.scheme, self.host, port)
