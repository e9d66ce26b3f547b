"""The three that are measured, one process each, access log on, cache empty when they start."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from programs.docker_registry import DockerRegistry
from programs.entrepot import Entrepot
from programs.nginx import CachingProxy, Nginx

REGISTRY = "bench.example"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers; `pid` is the process whose family does the work."""

    name: str
    pid: int
    base: str
    query: str = ""

    def url(self, target: str) -> str:
        """Where a client of this server finds `target`."""
        return f"{self.base}{target}{self.query}"


@asynccontextmanager
async def entrepot(directory: Path, *origins: str) -> AsyncIterator[Running]:
    """Entrepot with those origins as its mirrors, in that order."""
    config = {"registries": {REGISTRY: {"mirrors": [{"url": url} for url in origins]}}}
    async with Entrepot(config, directory) as server:
        yield Running("entrepot", server.pid, server.url, f"?ns={REGISTRY}")


@asynccontextmanager
async def _nginx(directory: Path, origin: str) -> AsyncIterator[Running]:
    async with Nginx(directory, CachingProxy(origin)) as server:
        yield Running("nginx", server.pid, server.url)


@asynccontextmanager
async def _distribution(directory: Path, origin: str) -> AsyncIterator[Running]:
    async with DockerRegistry(directory, proxy_of=origin) as server:
        yield Running("distribution", server.pid, server.url)


Start = Callable[[Path, str], AbstractAsyncContextManager[Running]]
SERVERS: Mapping[str, Start] = {
    "entrepot": entrepot,
    "nginx": _nginx,
    "distribution": _distribution,
}
