"""Settings over fake mirrors, and commands run on them, in a thread: they make their own loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from entrepot.cli import main
from fakes.images import Image, Index
from fakes.registry import FakeRegistry
from unit.store.keeping import REGISTRY

NAME = f"{REGISTRY}/pause:1"


@dataclass(frozen=True, slots=True)
class Mirrored:
    """An owner, who has what was put there, and a mirror."""

    directory: Path
    owner: FakeRegistry
    mirror: FakeRegistry

    def pin(self, one: Image | Index) -> str:
        path = self.directory / "pins.yaml"
        path.write_text(f"schema: 1\nsource: s\ndate: d\npins:\n  {NAME}: {one.digest}\n")
        return str(path)

    async def run(self, *words: str) -> Result:
        arguments = [*words, "--config", str(self.directory / "entrepot.yaml")]
        return await asyncio.to_thread(CliRunner().invoke, main, arguments)


@asynccontextmanager
async def mirrored(directory: Path) -> AsyncIterator[Mirrored]:
    async with FakeRegistry() as owner, FakeRegistry() as mirror:
        mirrors = [
            {"url": mirror.url, "name": "mirror"},
            {"url": owner.url, "name": "owner", "authority": True},
        ]
        document = {
            "cache": {"path": str(directory / "cache")},
            "admin": "none",
            "registries": {REGISTRY: {"mirrors": mirrors}, "odd.example": {"mirrors": mirrors}},
        }
        for name in ("registry.k8s.io", "docker.io", "quay.io", "ghcr.io", "gcr.io"):
            document["registries"][name] = None  # type: ignore[index]
        document["registries"]["mcr.microsoft.com"] = None  # type: ignore[index]
        (directory / "entrepot.yaml").write_text(json.dumps(document))
        yield Mirrored(directory, owner, mirror)
