"""A real containerd with everything of its own: root, state, socket, mirrors, and runc shims."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from programs import require_program
from programs.cri import Cri
from programs.daemon import Daemon, plain_environment, run

_SHIM_S = 10.0
_POLL_S = 0.05

_CONFIG = """\
version = 2
root = {root}
state = {state}

[grpc]
  address = {address}

[ttrpc]
  address = {ttrpc}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = {sandbox_image}
  # A test may run where scores cannot be lowered and profiles cannot be loaded.
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_tcp_service = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = {cni}
    bin_dir = {cni}

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = {runc}
        SystemdCgroup = false

{registry}
"""


class Containerd:
    """`async with` starts it and leaves no process and no mount of it behind.

    `legacy_mirrors` (registry -> endpoints) writes the deprecated `registry.mirrors` tables (C-2);
    without it the CRI reads `certs_d` (C-4), as `ctr --hosts-dir` does. `environment` is added to
    the daemon's and to ctr's own, and `inside` are words before their commands, which make them
    run in a network of their own. `bare_config` is where the configuration goes, without a word of
    mirrors in it, for somebody else to bring them in.
    """

    def __init__(
        self,
        directory: Path,
        *,
        sandbox_image: str = "k8s.gcr.io/pause:3.1",
        legacy_mirrors: Mapping[str, Sequence[str]] | None = None,
        environment: Mapping[str, str] | None = None,
        inside: Sequence[str | Path] = (),
        bare_config: Path | None = None,
    ) -> None:
        self._inside = tuple(inside)
        require_root()
        self._program = require_program("containerd")
        self._ctr = require_program("ctr")
        self._runc = require_program("runc")
        self._directory = directory
        self._bare_config = bare_config
        self._sandbox_image = sandbox_image
        self._legacy_mirrors = legacy_mirrors
        self._environment = plain_environment(directory, **(environment or {}))
        self.certs_d = directory / "certs.d"

    async def __aenter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        self.certs_d.mkdir(exist_ok=True)
        (self._directory / "cni").mkdir(exist_ok=True)
        # A socket's path may have 107 bytes, and a test's directory alone may have more.
        self._sockets = Path(tempfile.mkdtemp(prefix="containerd-"))
        self.address = self._sockets / "containerd.sock"
        config = self._bare_config or self._directory / "config.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(self._config())
        self._daemon = Daemon(
            [*self._inside, self._program, "--config", config],
            self._directory / "containerd.log",
            self._environment,
        )
        try:
            await self._daemon.start(self._answers)
        except BaseException:
            await asyncio.to_thread(self._remove)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._end_pods()
        finally:
            await self._daemon.stop()
            if error is not None:
                print(f"--- end of containerd's log\n{self._daemon.tail()}")
            await asyncio.to_thread(self._remove)

    async def restart(self) -> None:
        """Stop it and start it again, as `systemctl restart containerd` does."""
        await self._daemon.stop()
        await self._daemon.start(self._answers)

    def hosts_toml(self, registry: str, text: str) -> None:
        """Say where `registry` is mirrored; read again at every pull (C-4)."""
        directory = self.certs_d / registry
        directory.mkdir(exist_ok=True)
        (directory / "hosts.toml").write_text(text)

    def cri(self) -> Cri:
        """A kubelet's view of this containerd."""
        return Cri(self.address)

    async def ctr(self, *arguments: str) -> str:
        """Run ctr on this containerd; RuntimeError, with what it said, when it fails."""
        command = (*self._inside, self._ctr, "--address", self.address, *arguments)
        return await run(*command, environment=self._environment)

    async def pull(self, image: str, *options: str, namespace: str = "k8s.io") -> str:
        """`ctr images pull` by way of `certs_d`; the digest the image's name then stands for."""
        hosts = ("--hosts-dir", str(self.certs_d))
        await self.ctr("--namespace", namespace, "images", "pull", *hosts, *options, image)
        return (await self.images(namespace))[image]

    async def images(self, namespace: str) -> dict[str, str]:
        """Names and digests of what this namespace has."""
        listing = await self.ctr("--namespace", namespace, "images", "list")
        rows = (line.split() for line in listing.splitlines()[1:])
        return {name: digest for name, _, digest, *_ in rows}

    async def contents(self, namespace: str) -> set[str]:
        """The digests of every manifest, config and layer this namespace has."""
        return set((await self.ctr("--namespace", namespace, "content", "list", "-q")).split())

    async def collect_garbage(self, namespace: str = "k8s.io") -> None:
        """Drop what nothing refers to, half-fetched layers too; returns when that is done.

        containerd does it by itself sooner or later, and at once for whoever deletes a lease.
        """
        await self.ctr("--namespace", namespace, "leases", "create", "--id", "garbage")
        await self.ctr("--namespace", namespace, "leases", "delete", "--sync", "garbage")

    async def _answers(self) -> bool:
        if not self.address.exists():
            return False
        try:
            await self.ctr("version")
        except RuntimeError:
            return False
        return True

    def _config(self) -> str:
        cri = 'plugins."io.containerd.grpc.v1.cri".registry'
        if self._bare_config is not None:
            registry = ""
        elif self._legacy_mirrors is None:
            registry = f"  [{cri}]\n    config_path = {_quoted(self.certs_d)}"
        else:
            registry = "\n".join(
                f"  [{cri}.mirrors.{_quoted(name)}]\n    endpoint = {json.dumps(list(endpoints))}"
                for name, endpoints in self._legacy_mirrors.items()
            )
        return _CONFIG.format(
            root=_quoted(self._directory / "root"),
            state=_quoted(self._directory / "state"),
            address=_quoted(self.address),
            ttrpc=_quoted(f"{self.address}.ttrpc"),
            sandbox_image=_quoted(self._sandbox_image),
            cni=_quoted(self._directory / "cni"),
            runc=_quoted(self._runc),
            registry=registry,
        )

    async def _end_pods(self) -> None:
        """End what a failed test has left: shims outlive the containerd that started them."""
        if not self._shims():
            return
        async with self.cri() as cri:
            for sandbox in await cri.list_pod_sandboxes():
                await cri.stop_pod_sandbox(sandbox)
                await cri.remove_pod_sandbox(sandbox)
        try:
            async with asyncio.timeout(_SHIM_S):
                while self._shims():
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            for pid in self._shims():
                os.kill(pid, signal.SIGKILL)
            raise

    def _shims(self) -> list[int]:
        """Process ids of the living shims of this socket; a dead one has no command line."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if b"shim" in words[0] and str(self.address).encode() in words:
                    found.append(int(entry.name))
        return found

    def _remove(self) -> None:
        unmount_below(self._directory)
        shutil.rmtree(self._directory / "root", ignore_errors=True)
        shutil.rmtree(self._directory / "state", ignore_errors=True)
        shutil.rmtree(self._sockets)


def require_root() -> None:
    """Skip the test, or fail it under ENTREPOT_REQUIRE_TOOLS=1, where mounts are not allowed."""
    if os.geteuid() == 0:
        return
    if os.environ.get("ENTREPOT_REQUIRE_TOOLS") == "1":
        pytest.fail("containerd needs root, and ENTREPOT_REQUIRE_TOOLS=1")
    pytest.skip("containerd needs root")


def _quoted(value: str | Path) -> str:
    return json.dumps(str(value))


def unmount_below(directory: Path) -> None:
    """Undo every mount below `directory`, the innermost first."""
    table = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1] for line in table]
    for point in sorted(filter(lambda one: Path(one).is_relative_to(directory), points))[::-1]:
        subprocess.run(["umount", "--lazy", point], check=True)
