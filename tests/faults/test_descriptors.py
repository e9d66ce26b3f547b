"""No descriptors left: nobody new gets in for a while, and then everything goes on."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from fakes.images import image
from fakes.registry import FakeRegistry
from faults.pulling import Puller
from programs.entrepot import Entrepot

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

LEFT = 8


@pytest.mark.parametrize("many", [200])
async def test_running_out_of_descriptors_ends_nothing(many: int, tmp_path: Path) -> None:
    good = image("descriptors", layers=[100_000])
    async with FakeRegistry() as mirror:
        mirror.put_image("app", "1", good)
        registry = {"aliases": ["k8s.gcr.io"], "mirrors": [mirror.url]}
        settings = {"registries": {"registry.k8s.io": registry}}
        async with Entrepot(settings, tmp_path / "entrepot") as entrepot:
            host, _, port = entrepot.url.removeprefix("http://").rpartition(":")
            used = len(list(Path(f"/proc/{entrepot.pid}/fd").iterdir()))
            _, hard = resource.prlimit(entrepot.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(entrepot.pid, resource.RLIMIT_NOFILE, (used + LEFT, hard))
            flood = [socket.create_connection((host, int(port))) for _ in range(many)]
            with suppress(OSError):
                for one in flood:
                    one.sendall(b"GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n")
            await asyncio.sleep(1.5)  # as long as asyncio rests when it cannot accept
            for one in flood:
                one.close()
            resource.prlimit(entrepot.pid, resource.RLIMIT_NOFILE, (hard, hard))
            await Puller(f"{host}:{port}", Counter()).pull("app", "1", good)
            assert "out of system resource" in entrepot.log()
