"""A mirror, an Entrepot over it and no Internet: what tests with real clients start from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from fakes.images import Index, image, index
from fakes.outside import Outside
from fakes.registry import FakeRegistry
from programs.containerd import Containerd
from programs.docker_registry import DockerRegistry
from programs.entrepot import Entrepot
from programs.ports import Port

IMAGE = "k8s.gcr.io/pause:3.1"
_TAIL_CHARACTERS = 6000


class Laboratory:
    """`async with` brings `index` into a real registry, as google_containers/pause:3.1 only.

    `entrepot` serves it as k8s.gcr.io/pause:3.1 (and docker.io/library/pause:3.1). With
    `dead_mirrors` two more mirrors come first: one refuses connections, and `silent` takes
    requests and never answers. `default` is the registry meant by clients that name none (S-5).
    `users` is a file of passwords, which docker.io then asks for.

    At the end no program may have asked for a machine other than this one; Entrepot and the nodes
    are watched, and so is every program that is given `environment`.
    """

    def __init__(
        self,
        directory: Path,
        index: Index,
        *,
        dead_mirrors: bool = False,
        default: str | None = None,
        users: Path | None = None,
    ) -> None:
        self.directory = directory
        self.index = index
        self._dead_mirrors = dead_mirrors
        self._default = default
        self._users = users
        self.outside = Outside()
        self.silent = FakeRegistry(accept_silently=True)
        self._real = DockerRegistry(directory / "registry")
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.outside)
            await stack.enter_async_context(self._real)
            await self._real.push("google_containers/pause", "3.1", self.index)
            mirrors: list[dict[str, object]] = []
            if self._dead_mirrors:
                refusing = stack.enter_context(Port())
                await stack.enter_async_context(self.silent)
                mirrors = [{"url": f"http://{refusing}"}, {"url": self.silent.url}]
            mirrors.append({"url": self._real.url, "repository": "google_containers/{name}"})
            self.entrepot = Entrepot(
                self._settings(mirrors), self.directory / "entrepot", environment=self.environment
            )
            await stack.enter_async_context(self.entrepot)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # pytest shows it when the test has failed, which a fixture does not hear of.
        print(f"--- end of Entrepot's log\n{self.entrepot.log()[-_TAIL_CHARACTERS:]}")
        await self._stack.__aexit__(kind, error, trace)
        if error is None:
            assert self.outside.asked == [], f"somebody asked for {self.outside.asked}"

    def _settings(self, mirrors: Sequence[Mapping[str, object]]) -> dict[str, object]:
        settings: dict[str, object] = {
            "registries": {
                "registry.k8s.io": {"aliases": ["k8s.gcr.io"], "mirrors": mirrors},
                "docker.io": {"mirrors": mirrors, "private": self._users is not None},
            }
        }
        if self._users is not None:
            settings["auth"] = {"htpasswd": str(self._users)}
        if self._default is not None:
            settings["hosts"] = {"127.0.0.1": self._default}
        return settings

    @property
    def url(self) -> str:
        """Entrepot's, no slash at the end."""
        return self.entrepot.url

    @property
    def host(self) -> str:
        """Entrepot's host and port, as in an image name."""
        return self.url.removeprefix("http://")

    @property
    def digest(self) -> str:
        """Of the manifest list, what `IMAGE` stands for."""
        return str(self.index.digest)

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes a program ask `outside` instead of the network."""
        return self.outside.environment

    def node(
        self, name: str = "node", legacy_mirrors: Mapping[str, Sequence[str]] | None = None
    ) -> Containerd:
        """An empty containerd whose pods start from `IMAGE`; `async with` starts it."""
        return Containerd(
            self.directory / name,
            sandbox_image=IMAGE,
            legacy_mirrors=legacy_mirrors,
            environment=self.environment,
        )

    async def stop_mirrors(self) -> None:
        """Connections to every mirror are refused from here on."""
        await self._real.stop()
        await self.silent.stop()


def two_platforms(seed: str) -> Index:
    """A list for amd64 and arm64 that anybody can unpack; nothing in it runs."""
    rootfs = {"etc/seed": (0o644, seed.encode())}
    platforms = ("linux/amd64", "linux/arm64")
    return index([image(seed, platform=one, rootfs=rootfs) for one in platforms])


def hosts_toml(
    url: str, *more: str, only: bool = False, capabilities: Sequence[str] = ("pull", "resolve")
) -> str:
    """What people are told to write, with `more` lines in the host's table.

    With `only` there is no way round the mirror: `server`, the last resort, is it too. The table
    stays, for containerd 1.6 throws away a file without one ("invalid `host` tree").
    """
    server = [f'server = "{url}"'] if only else []
    lines = (f"capabilities = {json.dumps(list(capabilities))}", *more)
    return "\n".join([*server, f'[host."{url}"]', *(f"  {line}" for line in lines), ""])
