"""Writes docs/metrics.md from the metrics themselves: `make metrics`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from entrepot.metrics import Metrics
from entrepot.mirror.mirrorstates import MirrorStates

_HEAD = """\
# Metrics

The admin listener tells these at `/metrics`, in the text format of Prometheus, or in OpenMetrics
to whoever asks for it. Durations are seconds, amounts are bytes. Names of registries and mirrors
are those of the settings. [`config/grafana/entrepot.json`](../config/grafana/entrepot.json) is a
dashboard of them, [`config/prometheus/alerts.yaml`](../config/prometheus/alerts.yaml) has rules for
alerts. `make metrics` writes this page, and a test compares it with what is counted.

| name | type | labels | what it is |
|---|---|---|---|
"""
_FOOT = """
Under the names that every Python program has: `process_cpu_seconds_total`,
`process_resident_memory_bytes`, `process_virtual_memory_bytes`, `process_open_fds`,
`process_max_fds`, `process_start_time_seconds`, `python_info` and `python_gc_*`.

## To ask

* Share of requests answered without a download, over five minutes:
  `sum(rate(entrepot_requests_total{result=~"hit|join|revalidated|stale"}[5m])) /
  sum(rate(entrepot_requests_total{kind=~"manifest|blob"}[5m]))`
* Bytes that did not come over the link, by registry:
  `sum by (registry) (increase(entrepot_sent_bytes_total[1d])) - sum by (registry)
  (increase(entrepot_mirror_bytes_total[1d]))`
* Mirrors that are left out now: `entrepot_mirror_state{state="open"} == 1`
* How long the slowest tenth of clients waits for a cold blob's first byte:
  `histogram_quantile(0.9, sum by (le) (rate(entrepot_fill_wait_seconds_bucket[5m])))`
"""


@dataclass(frozen=True, slots=True)
class Told:
    """A metric as it is told; `name` is what one asks for, with _total for a counter."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def ours() -> CollectorRegistry:
    """Everything that a server counts itself."""
    metrics = Metrics()
    metrics.registry.register(MirrorStates({}, lambda: 0.0))
    return metrics.registry


def told(registry: CollectorRegistry) -> Iterator[Told]:
    """Every metric, by name."""
    labels = {}
    for collector in registry._collector_to_names:
        if isinstance(collector, MetricWrapperBase):
            labels[collector._name] = collector._labelnames
        else:
            labels |= {one.name: tuple(one._labelnames) for one in collector.collect()}  # type: ignore[attr-defined]
    for family in sorted(registry.collect(), key=lambda one: one.name):
        suffix = "_total" if family.type == "counter" else ""
        yield Told(family.name + suffix, family.type, labels[family.name], family.documentation)


def page() -> str:
    """The whole page."""
    rows = [
        f"| `{one.name}` | {one.kind} | {', '.join(one.labels) or '-'} | {one.meaning} |\n"
        for one in told(ours())
    ]
    return _HEAD + "".join(rows) + _FOOT


if __name__ == "__main__":
    sys.stdout.write(page())
