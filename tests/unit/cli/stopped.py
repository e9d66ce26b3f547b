"""A cache directory that no server runs on, and commands that are run on it."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from entrepot.cli import main
from fakes.images import image
from unit.store.keeping import REGISTRY, Keeping, keeping

BASE = {"bin/base": (0o755, b"needed by both" * 100)}
ONE = image("one", rootfs=BASE, layers=(5_000,))
TWO = image("two", rootfs=BASE, layers=(6_000,))
NAME = f"{REGISTRY}/pause"


@dataclass(frozen=True, slots=True)
class Stopped:
    """`entrepot.yaml` and the cache that it names, both in `directory`."""

    directory: Path

    @property
    def cache(self) -> Path:
        return self.directory / "cache"

    @property
    def file(self) -> Path:
        return self.directory / "entrepot.yaml"

    def configure(self, **settings: object) -> None:
        registries = {REGISTRY: {"mirrors": ["http://127.0.0.1:1"]}}
        document = {"cache": {"path": str(self.cache)}, "admin": "none", "registries": registries}
        self.file.write_text(json.dumps(document | settings))

    def opened(self) -> AbstractAsyncContextManager[Keeping]:
        """The store, to put something into it; a command finds it locked until it is closed."""
        return keeping(self.cache)

    async def run(self, *words: str) -> Result:
        """In a thread: the command waits."""
        arguments = [*words, "--config", str(self.file)]
        return await asyncio.to_thread(CliRunner().invoke, main, arguments)
