"""A real dockerd, with its own data, socket and no network, on a containerd of the test's."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from programs import require_program
from programs.containerd import Containerd, unmount_below
from programs.daemon import Daemon, plain_environment

_API = "http://dockerd/v1.40"
_PULL_S = 25.0
_PING = aiohttp.ClientTimeout(total=1.0)


class Dockerd:
    """`async with` starts it with `mirrors` as its registry-mirrors; nothing of it stays mounted.

    It stores images itself (the graph driver way, D-2) and would use `containerd` to run them.
    """

    def __init__(
        self,
        directory: Path,
        containerd: Containerd,
        *,
        mirrors: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._program = require_program("dockerd")
        self._directory = directory
        self._containerd = containerd
        self._mirrors = mirrors
        self._environment = plain_environment(directory, **(environment or {}))

    async def __aenter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._sockets = Path(tempfile.mkdtemp(prefix="dockerd-"))
        settings = self._directory / "daemon.json"
        settings.write_text(json.dumps(self._settings()))
        self._daemon = Daemon(
            [self._program, "--config-file", settings, "--host", f"unix://{self._socket}"],
            self._directory / "dockerd.log",
            self._environment,
        )
        # The timeout is for the program that takes a connection long before it answers.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(self._socket)),
            timeout=aiohttp.ClientTimeout(total=_PULL_S),
        )
        try:
            await self._daemon.start(self._answers)
        except BaseException:
            await self._session.close()
            await asyncio.to_thread(self._remove)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()
        await self._daemon.stop()
        if error is not None:
            print(f"--- end of dockerd's log\n{self.log()}")
        await asyncio.to_thread(self._remove)

    async def pull(self, repository: str, tag: str) -> None:
        """`docker pull`; RuntimeError with the daemon's message when it fails."""
        asked = {"fromImage": repository, "tag": tag}
        async with self._session.post(f"{_API}/images/create", params=asked) as answer:
            said = (await answer.text()).splitlines()
        errors = [line for line in said if answer.status != 200 or "error" in json.loads(line)]
        if errors:
            raise RuntimeError(f"docker pull {repository}:{tag}: {errors[-1]}\n{self.log()}")

    async def repo_digests(self, image: str) -> list[str]:
        """What the daemon calls `image`, each as "repository@digest"."""
        async with self._session.get(f"{_API}/images/{image}/json") as answer:
            answer.raise_for_status()
            return list(map(str, (await answer.json())["RepoDigests"]))

    def log(self) -> str:
        """The end of its log."""
        return self._daemon.tail()

    @property
    def _socket(self) -> Path:
        return self._sockets / "docker.sock"

    def _settings(self) -> dict[str, object]:
        return {
            "data-root": str(self._directory / "root"),
            "exec-root": str(self._directory / "exec"),
            "pidfile": str(self._directory / "dockerd.pid"),
            "containerd": str(self._containerd.address),
            "registry-mirrors": list(self._mirrors),
            "storage-driver": "vfs",
            "group": "",
            "bridge": "none",
            "iptables": False,
            "ip6tables": False,
            "ip-forward": False,
            "ip-masq": False,
        }

    async def _answers(self) -> bool:
        try:
            async with self._session.get(f"{_API}/_ping", timeout=_PING) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _remove(self) -> None:
        unmount_below(self._directory)
        shutil.rmtree(self._directory / "root", ignore_errors=True)
        shutil.rmtree(self._directory / "exec", ignore_errors=True)
        shutil.rmtree(self._sockets)
