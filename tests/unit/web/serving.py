"""The whole server in this process, on free ports, in front of fake mirrors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from entrepot.app import Server, running
from entrepot.config import Settings
from fakes.registry import FakeRegistry
from wire.client import Answer, ask

Mirror = FakeRegistry | str | Mapping[str, object]
"""A fake registry, the url of a mirror, or a mirror's settings as in the file."""

K8S = "registry.k8s.io"
NS = "?ns=k8s.gcr.io"


def registry_settings(
    *mirrors: Mirror, aliases: Sequence[str] = (), **more: object
) -> dict[str, object]:
    """One registry in the shape of the file."""
    told = [one.url if isinstance(one, FakeRegistry) else one for one in mirrors]
    return {"mirrors": told, "aliases": list(aliases), **more}


def settings_for(path: Path, *mirrors: Mirror, **settings: object) -> Settings:
    """Settings with the cache below `path` and registry.k8s.io (k8s.gcr.io) on `mirrors`.

    `settings` are keys of the file; they replace what stands here.
    """
    document: dict[str, object] = {
        "listen": "127.0.0.1:0",
        "admin": "127.0.0.1:0",
        "cache": {"path": str(path / "cache")},
        "trust": {"built_in_pins": False, "policies": {K8S: "authority, first"}},
        "timeouts": {"headers": 10.0, "overtake": 2.0},
        "registries": {K8S: registry_settings(*mirrors, aliases=("k8s.gcr.io",))},
        **settings,
    }
    return Settings.model_validate(document)


async def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Return once `condition()`, which nobody announces; TimeoutError if never."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.002)


@dataclass(frozen=True, slots=True)
class Serving:
    """A running server and its settings."""

    server: Server
    settings: Settings

    @property
    def address(self) -> str:
        """Host and port of the first listener."""
        return self.server.addresses[0]

    @property
    def admin(self) -> str:
        """Host and port of the admin listener."""
        assert self.server.admin_address is not None
        return self.server.admin_address

    async def ask(self, method: str, target: str, *headers: tuple[str, str]) -> Answer:
        """One request on a connection of its own."""
        return await ask(self.address, method, target, *headers)

    async def get(self, target: str, *headers: tuple[str, str]) -> Answer:
        """GET on a connection of its own."""
        return await self.ask("GET", target, *headers)

    async def until_filled(self) -> None:
        """Wait until no download is in progress: all of them durable, or given up."""
        await self.server.services.blobs.fills.settled()

    async def metrics(self) -> dict[str, float]:
        """Every sample the admin listener tells, by its full name."""
        told = await ask(self.admin, "GET", "/metrics")
        lines = [line for line in told.body.decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (one.rpartition(" ") for one in lines)}


@asynccontextmanager
async def serving(path: Path, *mirrors: Mirror, **settings: object) -> AsyncIterator[Serving]:
    """Run a server with `settings_for` these arguments."""
    chosen = settings_for(path, *mirrors, **settings)
    async with running(chosen) as server:
        yield Serving(server, chosen)
