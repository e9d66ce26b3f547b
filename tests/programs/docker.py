"""The docker command on a dockerd of the test's own, where images are built and run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from programs import require_program
from programs.daemon import plain_environment, run
from programs.dockerd import Dockerd

_HEALTHY_S = 30.0
_POLL_S = 0.1


class Docker(Dockerd):
    """A Dockerd that is driven by `docker`; containers have the host's network or none."""

    def _settings(self) -> dict[str, object]:
        """Say nothing of the storage: what dockerd finds out is faster to build with than vfs."""
        settings = super()._settings()
        del settings["storage-driver"]
        return settings

    async def docker(
        self, *arguments: str | Path, timeout_s: float = 25.0, complaints: bool = False
    ) -> str:
        """Run it; what it printed, on standard error too if `complaints`.

        RuntimeError, with what it said, when it fails.
        """
        home = self._directory / "home"
        home.mkdir(exist_ok=True)
        # The classic builder: the other one is a plug-in that not every docker has.
        environment = plain_environment(home, DOCKER_BUILDKIT="0")
        merge = ("/bin/sh", "-c", 'exec "$@" 2>&1', "sh") if complaints else ()
        docker = (require_program("docker"), "--host", f"unix://{self._socket}")
        command = (*merge, *docker, *arguments)
        return (await run(*command, environment=environment, timeout_s=timeout_s)).strip()

    @asynccontextmanager
    async def container(self, *arguments: str | Path) -> AsyncIterator[Container]:
        """`docker run --detach` with these arguments; the container is gone at the end."""
        name = await self.docker("create", *arguments)
        try:
            await self.docker("start", name)
            yield Container(self, name)
        finally:
            await self.docker("rm", "--force", name)


class Container:
    """One running container."""

    def __init__(self, docker: Docker, name: str) -> None:
        self._docker = docker
        self._name = name

    async def until_healthy(self) -> None:
        """Wait for the image's own health check; RuntimeError with its log when it never is."""
        try:
            async with asyncio.timeout(_HEALTHY_S):
                while await self._told("State", "Health", "Status") != "healthy":
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            checks = await self._told("State", "Health", "Log")
            raise RuntimeError(f"never healthy: {checks}\n{await self.log()}") from None

    async def execute(self, *command: str) -> str:
        """Run a command in it."""
        return await self._docker.docker("exec", self._name, *command)

    async def stop(self) -> object:
        """SIGTERM; its exit status."""
        await self._docker.docker("stop", "--time", "20", self._name)
        return await self._told("State", "ExitCode")

    async def start(self) -> None:
        """Start it again after `stop`."""
        await self._docker.docker("start", self._name)

    async def log(self) -> str:
        """All it has written, of every start."""
        return await self._docker.docker("logs", self._name, complaints=True)

    async def _told(self, *path: str) -> object:
        found = json.loads(await self._docker.docker("inspect", self._name))[0]
        for key in path:
            found = found[key]
        return found
