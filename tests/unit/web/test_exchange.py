"""One line and one increment for each request."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from entrepot.metrics import Metrics
from entrepot.mirror.names import ImageName
from entrepot.oci.reference import RepositoryName
from entrepot.web.exchange import Exchange

PAUSE = ImageName(
    registry="registry.k8s.io",
    namespace="k8s.gcr.io",
    repository=RepositoryName("pause"),
    client_repository="pause",
    via_ns=True,
    path_prefix="/v2/",
)


def finished(exchange: Exchange, now: float = 12.5) -> tuple[dict[str, object], Metrics]:
    metrics = Metrics()
    with capture_logs() as lines:
        exchange.finish(metrics, now)
    (line,) = lines
    return dict(line), metrics


def test_an_answered_blob() -> None:
    exchange = Exchange("GET", "/v2/pause/blobs/x", "10.0.0.1", started=10.0)
    exchange.about("blob", PAUSE, "sha256:x")
    exchange.source, exchange.mirror, exchange.status = "fill", "a.example", 200
    exchange.sent_bytes = 1000
    line, metrics = finished(exchange)
    assert line == {
        "event": "request",
        "log_level": "info",
        "client": "10.0.0.1",
        "method": "GET",
        "status": 200,
        "kind": "blob",
        "registry": "registry.k8s.io",
        "repository": "pause",
        "reference": "sha256:x",
        "source": "fill",
        "mirror": "a.example",
        "bytes": 1000,
        "ms": 2500.0,
    }
    sample = metrics.registry.get_sample_value
    labels = {"registry": "registry.k8s.io", "kind": "blob", "result": "fill", "status": "200"}
    assert sample("entrepot_requests_total", labels) == 1
    assert sample("entrepot_sent_bytes_total", {"registry": "registry.k8s.io"}) == 1000


def test_a_request_for_nothing_we_know_is_told_by_its_path() -> None:
    line, _ = finished(Exchange("GET", "/" + "x" * 1000, "10.0.0.1", started=10.0))
    assert "registry" not in line
    assert str(line["path"]).startswith("/xxx")
    assert len(str(line["path"])) <= 200


@pytest.mark.parametrize("reason", ["", "all mirrors are down"])
def test_a_reason_is_told_when_there_is_one(reason: str) -> None:
    exchange = Exchange("GET", "/v2/", "10.0.0.1", started=10.0, reason=reason)
    line, _ = finished(exchange)
    assert line.get("reason", "") == reason
