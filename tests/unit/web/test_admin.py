"""The admin listener."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from entrepot.metrics import Metrics
from entrepot.web.admin import admin_application
from entrepot.web.guard import Guard
from unit.web.serving import serving
from wire.client import ask


@pytest.mark.rule("P28")
@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
async def test_readiness_is_what_the_server_says(ready: bool, status: int) -> None:
    application = admin_application(Metrics(), lambda: ready, Guard("x" * 16))
    async with TestClient(TestServer(application)) as client:
        assert (await client.get("/readyz")).status == status
        assert (await client.get("/livez")).status == 200


async def test_metrics_are_in_the_text_format() -> None:
    metrics = Metrics()
    metrics.attempt("r", "m", "answered")
    async with TestClient(
        TestServer(admin_application(metrics, lambda: True, Guard("x" * 16)))
    ) as client:
        got = await client.get("/metrics")
        assert got.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = await got.text()
        line = 'entrepot_mirror_attempts_total{mirror="m",outcome="answered",registry="r"} 1.0'
        assert line in text.splitlines()


async def test_what_is_for_admins_is_not_on_the_clients_port(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:9") as served:
        for path in ("/metrics", "/livez", "/readyz"):
            assert (await served.get(path)).status == 404
            assert (await ask(served.admin, "GET", path)).status == 200
        assert (await ask(served.admin, "GET", "/v2/")).status == 404
