"""skopeo, podman and buildah: one library, one registries.conf, storage of their own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from programs import require_program
from programs.daemon import plain_environment, run

_ANYTHING = '{"default": [{"type": "insecureAcceptAnything"}]}\n'


def mirrored(registry: str, location: str) -> str:
    """registries.conf for a plain-HTTP mirror of `registry`; `location` may have a path (P-1)."""
    return f"""\
[[registry]]
prefix = "{registry}"
location = "{registry}"

[[registry.mirror]]
location = "{location}"
insecure = true
"""


class Podman:
    """`async with` gives the three programs one storage below `directory`, and deletes it.

    The storage is the vfs driver's: no mounts. What the programs print is given back;
    RuntimeError, with what they said, when one of them fails.
    """

    def __init__(
        self,
        directory: Path,
        registries_conf: str = "",
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory
        self._registries_conf = registries_conf
        self._policy = directory / "policy.json"
        self._environment = plain_environment(
            directory,
            CONTAINERS_REGISTRIES_CONF=str(directory / "registries.conf"),
            XDG_RUNTIME_DIR=str(directory / "tmp"),
            TMPDIR=str(directory / "tmp"),
            **(environment or {}),
        )

    async def __aenter__(self) -> Self:
        (self._directory / "tmp").mkdir(parents=True)
        (self._directory / "registries.conf").write_text(self._registries_conf)
        self._policy.write_text(_ANYTHING)
        # podman refuses a --runroot of more than 50 characters.
        self._run = Path(tempfile.mkdtemp(prefix="podman-"))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for directory in (self._directory, self._run):
            await asyncio.to_thread(shutil.rmtree, directory)

    async def skopeo(self, *arguments: str) -> str:
        program = require_program("skopeo")
        return await run(
            program, "--policy", self._policy, *arguments, environment=self._environment
        )

    async def podman(self, *arguments: str) -> str:
        """With its lock table and events in files here, not in shared memory or the journal."""
        program = require_program("podman")
        options = ("--tmpdir", self._directory / "tmp", "--events-backend", "file")
        return await run(
            program, *self._storage(), *options, *arguments, environment=self._environment
        )

    async def buildah(self, *arguments: str) -> str:
        program = require_program("buildah")
        return await run(program, *self._storage(), *arguments, environment=self._environment)

    @property
    def trusting(self) -> tuple[str, str]:
        """The option by which `pull` asks for no signatures."""
        return ("--signature-policy", str(self._policy))

    def _storage(self) -> tuple[str | Path, ...]:
        roots = ("--root", self._directory / "root", "--runroot", self._run)
        return (*roots, "--storage-driver", "vfs")
