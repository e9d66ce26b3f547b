"""The page of metrics, the dashboard and the alerts speak of what is really counted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

import metricsdoc
from entrepot.metrics import Metrics
from fakes.images import image, sha256
from fakes.registry import FakeRegistry
from unit.web.serving import NS, serving
from wire.client import ask

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "config" / "prometheus" / "alerts.yaml"
DASHBOARD = ROOT / "config" / "grafana" / "entrepot.json"
OPENMETRICS = ("Accept", "application/openmetrics-text; version=1.0.0, text/plain;q=0.5")

# What Prometheus itself makes.
MADE_BY_PROMETHEUS = {"up"}
_NAME = re.compile(r"\b(?:entrepot|process|python)_[a-z0-9_]+\b")


def names() -> set[str]:
    """Every series that a server may tell."""
    found: set[str] = set()
    for one in metricsdoc.told(metricsdoc.ours()):
        found |= {one.name}
        if one.kind == "histogram":
            found |= {f"{one.name}_{part}" for part in ("bucket", "count", "sum")}
    return (
        found
        | {"process_resident_memory_bytes", "process_open_fds", "process_max_fds"}
        | {
            "process_cpu_seconds_total",
            "process_start_time_seconds",
        }
    )


def dashboard_queries() -> Iterator[str]:
    told = json.loads(DASHBOARD.read_text())
    for panel in told["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in told["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def alert_rules() -> list[dict[str, object]]:
    told = yaml.safe_load(ALERTS.read_text())
    return [rule for group in told["groups"] for rule in group["rules"]]


def test_the_page_is_what_is_counted() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == metricsdoc.page(), "run `make metrics`"


def test_the_dashboard_asks_for_what_is_there() -> None:
    queries = list(dashboard_queries())
    assert len(queries) > 20
    asked = {name for query in queries for name in _NAME.findall(query)}
    assert asked - names() == set()


def test_the_alerts_ask_for_what_is_there() -> None:
    rules = alert_rules()
    assert len(rules) > 8
    asked = {name for rule in rules for name in _NAME.findall(str(rule["expr"]))}
    assert asked - names() == set()
    for rule in rules:
        words = set(re.findall(r"\w+", str(rule["expr"])))
        assert words & (names() | MADE_BY_PROMETHEUS), f"{rule['alert']} asks for nothing"


def test_every_alert_says_what_to_do() -> None:
    for rule in alert_rules():
        told = rule["annotations"]
        assert isinstance(told, dict)
        assert {"summary", "description"} <= set(told), rule["alert"]
        assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


@pytest.mark.parametrize("accept", [("Accept", "*/*"), OPENMETRICS], ids=["text", "openmetrics"])
async def test_prometheus_own_parser_reads_what_a_server_tells(
    tmp_path: Path, accept: tuple[str, str]
) -> None:
    """After a pull, a refusal and with a mirror that is down, so that most series are there."""
    one = image("told")
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", "3.1", one)
        async with serving(tmp_path, "http://127.0.0.1:9", mirror) as served:
            assert (await served.get(f"/v2/pause/manifests/3.1{NS}")).status == 200
            for blob in one.blobs:
                assert (await served.get(f"/v2/pause/blobs/{sha256(blob)}{NS}")).status == 200
            assert (await served.get(f"/v2/nothing/manifests/1{NS}")).status == 502
            await served.until_filled()
            told = await ask(served.admin, "GET", "/metrics", accept)
    text = told.body.decode()
    kind = told.header("Content-Type") or ""
    if accept is OPENMETRICS:
        assert kind.startswith("application/openmetrics-text; version=1.0.0")
        assert text.endswith("# EOF\n")
        assert text.count("# EOF") == 1
        families = list(openmetrics(text))  # type: ignore[no-untyped-call]
    else:
        assert kind == "text/plain; version=0.0.4; charset=utf-8"
        families = list(prometheus(text))
    samples = {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels)))
        for family in families
        for sample in family.samples
        if sample.value
    }
    seen = {name for name, *_ in samples}
    assert {
        "entrepot_mirror_answer_seconds_count",
        "entrepot_mirror_openings_total",
        "entrepot_mirror_state",
        "entrepot_fills_ended_total",
        "entrepot_fill_seconds_count",
        "entrepot_fill_wait_seconds_count",
        "entrepot_requests_total",
        "entrepot_sent_bytes_total",
        "entrepot_mirror_bytes_total",
        "process_resident_memory_bytes",
    } <= seen
    assert ("entrepot_mirror_state", "127.0.0.1:9", "registry.k8s.io", "open") in samples
    own = {name for name in seen if name.startswith("entrepot_")}
    assert {name for name in own if not name.endswith("_created")} - names() == set()


def test_openmetrics_of_nothing_counted_is_right_too() -> None:
    text = Metrics().render(openmetrics=True).decode()
    assert list(openmetrics(text))  # type: ignore[no-untyped-call]
