"""The launchers of Entrepot and docker-registry do what tests rely on them to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.images import image
from programs.docker_registry import DockerRegistry
from programs.entrepot import Entrepot
from programs.ports import Port

pytestmark = pytest.mark.integration


async def test_entrepot_restarts_on_its_ports_and_ends_with_status_0(tmp_path: Path) -> None:
    config = {"registries": {"registry.example": {"mirrors": [{"url": "http://127.0.0.1:1"}]}}}
    async with Entrepot(config, tmp_path) as entrepot:
        pid, url = entrepot.pid, entrepot.url
        now = entrepot.rss_bytes()  # first: it may grow before the peak is read
        assert entrepot.rss_bytes(peak=True) >= now > 1 << 20
        await entrepot.restart()
        assert (entrepot.url, entrepot.pid != pid) == (url, True)
        await entrepot.kill()
        with pytest.raises(RuntimeError, match="not running"):
            _ = entrepot.pid
        await entrepot.start()
        assert entrepot.cache.is_dir()
        assert "ready" in entrepot.log()


async def test_entrepot_with_a_mistake_in_its_settings_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="mirorrs"):
        async with Entrepot({"registries": {"registry.example": {"mirorrs": []}}}, tmp_path):
            raise AssertionError("it started")


async def test_docker_registry_keeps_its_content_over_a_stop(tmp_path: Path) -> None:
    async with DockerRegistry(tmp_path) as registry:
        pushed = image("kept")
        await registry.push("kept", "1", pushed)
        await registry.stop()
        with Port() as other:
            assert str(other) != registry.host
            assert await other.status_of("/") is None
        await registry.start()
        assert "PUT /v2/kept/manifests/1" in registry.log()
