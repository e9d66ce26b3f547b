"""The real `entrepot serve`, in a process of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from programs import require_program
from programs.daemon import Daemon, plain_environment, run
from programs.ports import Port

# A little more than it takes for transfers in progress before it cuts them.
_DRAIN_S = 35.0

PLAIN_TRUST = {"built_in_pins": False, "policies": {"registry.k8s.io": "authority, first"}}
"""What tests serve as pause:3.1 is none of Kubernetes' own, and some move it."""


class Entrepot:
    """`async with Entrepot({"registries": …}, directory)`: started, ready, stopped with status 0.

    `config` is the configuration file as a mapping; what it does not say of `listen`, `admin` and
    `cache` is two ports of its own and `directory`/cache. They stay the same over `restart`.
    `inside` are words before the command, which make it run in a network of its own.
    """

    def __init__(
        self,
        config: Mapping[str, object],
        directory: Path,
        *,
        environment: Mapping[str, str] | None = None,
        inside: Sequence[str | Path] = (),
    ) -> None:
        self._inside = tuple(inside)
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._config = config
        self._environment = plain_environment(directory, **(environment or {}))

    async def __aenter__(self) -> Self:
        self._port, self._admin = Port(), Port()
        config = {
            "listen": str(self._port),
            "admin": str(self._admin),
            "cache": {"path": str(self.cache)},
            "trust": PLAIN_TRUST,
            **self._config,
        }
        file = self._directory / "entrepot.yaml"
        # JSON is YAML, and needs no YAML library to be right.
        file.write_text(json.dumps(config, indent=2))
        self.command = (
            *self._inside,
            sys.executable,
            "-m",
            "entrepot",
            "serve",
            "--config",
            str(file),
        )
        self._daemon = Daemon(self.command, self.log_file, self._environment)
        try:
            await self.start()
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                await self.stop()
            else:
                await self._daemon.kill()
        finally:
            self._close()

    def _close(self) -> None:
        self._port.close()
        self._admin.close()

    async def start(self) -> None:
        """Return once `/readyz` says 200; RuntimeError with the log when it does not."""

        async def ready() -> bool:
            if self._inside:
                return await self._ready_inside()
            return await self._admin.status_of("/readyz") == 200

        await self._daemon.start(ready)

    async def _ready_inside(self) -> bool:
        curl = require_program("curl")
        try:
            await run(
                *self._inside,
                curl,
                "-sf",
                f"{self.admin_url}/readyz",
                environment=self._environment,
            )
        except RuntimeError:
            return False
        return True

    async def stop(self) -> None:
        """SIGTERM; AssertionError, with the log, unless it ends with status 0. Twice is fine."""
        status = await self._daemon.stop(_DRAIN_S)
        assert status in {None, 0}, f"entrepot ended with {status}:\n{self._daemon.tail()}"

    async def kill(self) -> None:
        """SIGKILL: no chance to finish anything."""
        await self._daemon.kill()

    async def restart(self) -> None:
        """Stop, if it runs, and start again on the same ports and cache."""
        await self.stop()
        await self.start()

    @property
    def cache(self) -> Path:
        """The cache directory, unless `config` names another."""
        return self._directory / "cache"

    @property
    def url(self) -> str:
        """Where it serves, no slash at the end; meaningless when `config` has its own `listen`."""
        return f"http://{self._port}"

    @property
    def admin_url(self) -> str:
        """The administration's listener."""
        return f"http://{self._admin}"

    @property
    def pid(self) -> int:
        """Its process id; RuntimeError unless it is running."""
        return self._daemon.pid

    @property
    def log_file(self) -> Path:
        """Where everything it writes goes, of every start."""
        return self._directory / "entrepot.log"

    def log(self) -> str:
        """All it has written so far, of every start."""
        return self.log_file.read_text(errors="replace")

    def rss_bytes(self, *, peak: bool = False) -> int:
        """Its resident memory now, or the most it ever was."""
        wanted = "VmHWM" if peak else "VmRSS"
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == wanted:
                return int(value.split()[0]) * 1024
        raise RuntimeError(f"no {wanted} for {self.pid}")
