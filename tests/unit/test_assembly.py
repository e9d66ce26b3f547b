"""What is made of the settings, and that all of it is closed again."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from entrepot.assembly import open_lasting
from entrepot.config import Settings, load_settings
from entrepot.errors import StoreLocked
from entrepot.generation import Generations
from entrepot.web.frontend import Services


def _settings(path: Path, **others: object) -> Settings:
    return load_settings(overrides={"cache": {"path": path / "cache"}, **others})


async def assemble(settings: Settings, stack: AsyncExitStack) -> Services:
    generations = Generations(await open_lasting(settings, stack))
    stack.push_async_callback(generations.aclose)
    generations.succeed(await generations.prepare(settings))
    return generations.current.services


async def test_every_registry_has_its_mirrors_and_the_cache_is_ours_alone(tmp_path: Path) -> None:
    settings = await asyncio.to_thread(_settings, tmp_path)
    async with AsyncExitStack() as stack:
        services = await assemble(settings, stack)
        assert set(services.manifests.registries) == set(settings.registries)
        assert services.names.canonical("k8s.gcr.io") == "registry.k8s.io"
        async with AsyncExitStack() as other:
            with pytest.raises(StoreLocked):
                await assemble(settings, other)
    async with AsyncExitStack() as stack:
        _ = await assemble(settings, stack)


async def test_offline_is_said_once_for_everything(tmp_path: Path) -> None:
    settings = await asyncio.to_thread(_settings, tmp_path, offline=True)
    async with AsyncExitStack() as stack:
        services = await assemble(settings, stack)
        assert services.offline.shut
        assert all(registry.offline for registry in services.manifests.registries.values())
