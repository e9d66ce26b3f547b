"""One contract: Debian's docker-registry, the same as a proxy, and Entrepot in front of it.

The fake registry of the unit tests is held to it too (`unit/fakes/test_registry_contract.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.registry import CHECKS, CONTENT, REPOSITORY, Check, check_absent_manifest
from programs.docker_registry import DockerRegistry
from programs.entrepot import Entrepot

pytestmark = pytest.mark.integration


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[DockerRegistry]:
    async with DockerRegistry(tmp_path / "registry") as registry:
        for tag, pushed in CONTENT.items():
            await registry.push(REPOSITORY, tag, pushed)
        yield registry


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_docker_registry(check: Check, registry: DockerRegistry) -> None:
    await check(registry.url)


async def test_docker_registry_as_a_proxy(registry: DockerRegistry, tmp_path: Path) -> None:
    async with DockerRegistry(tmp_path / "proxy", proxy_of=registry.url) as proxy:
        for check in CHECKS:
            # It answers 500 where the registry behind it says 404.
            if check is not check_absent_manifest:
                await check(proxy.url)


@pytest.mark.rule("N-1", "N-2", "N-4", "T-5", "T-8", "Q-2", "M-3", "C-13", "C-16")
async def test_entrepot_cold_warm_and_alone(registry: DockerRegistry, tmp_path: Path) -> None:
    """Cold, then from its cache, then restarted with the registry gone."""
    config = {
        "hosts": {"127.0.0.1": "registry.example"},
        "registries": {"registry.example": {"mirrors": [{"url": registry.url}]}},
    }
    async with Entrepot(config, tmp_path / "entrepot") as entrepot:
        for check in (*CHECKS, *CHECKS):
            await check(entrepot.url)
        await registry.stop()
        await entrepot.restart()
        for check in CHECKS:
            # What is not held cannot be known to be absent (E-3).
            if "absent" not in check.__name__:
                await check(entrepot.url)
