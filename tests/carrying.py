"""An Entrepot that serves registry.example, its command, and nodes that pull from it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fakes.outside import Outside
from laboratory import hosts_toml
from programs.containerd import Containerd
from programs.entrepot import Entrepot

REGISTRY = "registry.example"
NAME = f"{REGISTRY}/app:1"
DEAD = "http://127.0.0.1:9"


class Node(Containerd):
    """Asks nobody but the Entrepot that it was made for."""

    def __init__(self, directory: Path, url: str, environment: Mapping[str, str]) -> None:
        super().__init__(directory, environment=environment)
        self._url = url

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        for registry in (REGISTRY, "registry.k8s.io", "k8s.gcr.io", "docker.io"):
            self.hosts_toml(registry, hosts_toml(self._url, only=True))
        return self


class Site:
    """`async with` starts it; with no `mirror` nothing can be fetched."""

    def __init__(
        self, directory: Path, mirror: str | Mapping[str, object] = DEAD, **settings: object
    ) -> None:
        self.directory = directory
        mirrors = {"mirrors": [mirror]}
        registries = {
            REGISTRY: mirrors,
            "registry.k8s.io": {**mirrors, "aliases": ["k8s.gcr.io"]},
            "docker.io": mirrors,
        }
        self._outside = Outside()
        self._settings = {"registries": registries, **settings}
        self._nodes = 0

    async def __aenter__(self) -> Self:
        await self._outside.__aenter__()
        environment = self._outside.environment
        self._server = Entrepot(self._settings, self.directory, environment=environment)
        try:
            await self._server.__aenter__()
        except BaseException:
            await self._outside.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._server.__aexit__(kind, error, trace)
        finally:
            await self._outside.__aexit__(kind, error, trace)

    @property
    def server(self) -> Entrepot:
        return self._server

    @property
    def url(self) -> str:
        return self._server.url

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop()

    def node(self, name: str) -> Node:
        """An empty containerd; each is another, whatever its name."""
        self._nodes += 1
        directory = self.directory / f"{name}-{self._nodes}"
        return Node(directory, self.url, self._outside.environment)

    async def run(self, *words: str, status: int = 0) -> str:
        """`entrepot` with the server's configuration; all it wrote."""
        out, err = await self.both(*words, status=status)
        return out + err

    async def json(self, *words: str, status: int = 0) -> Any:
        return json.loads((await self.both(*words, "--json", status=status))[0])

    async def both(self, *words: str, status: int = 0) -> tuple[str, str]:
        """What it wrote to standard output and to standard error."""
        process = await self.begin(*words)
        out, err = await process.communicate()
        assert process.returncode == status, (words, out.decode(), err.decode())
        return out.decode(), err.decode()

    async def begin(self, *words: str) -> asyncio.subprocess.Process:
        """Start it, and leave it to the caller."""
        file = self.directory / "entrepot.yaml"
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "entrepot", *words, "--config", str(file)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
