"""How the mirrors stand, told at each scrape: what is true now needs no counting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from entrepot.mirror.registry import Registry

_LABELS = ["registry", "mirror"]


class MirrorStates(Collector):
    """`registries` may be exchanged for others; `monotonic` is the loop's clock."""

    def __init__(self, registries: Mapping[str, Registry], monotonic: Callable[[], float]) -> None:
        self.registries = registries
        self._monotonic = monotonic

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Tell the breakers, the throttles and the speeds."""
        states = GaugeMetricFamily(
            "entrepot_mirror_state",
            "1 for what a mirror's breaker is now, 0 for what it is not, by registry, mirror and"
            " state (closed, open, half_open: to be tried).",
            labels=[*_LABELS, "state"],
        )
        throttled = GaugeMetricFamily(
            "entrepot_mirror_throttled",
            "1 while a mirror has asked us to come back later, by registry and mirror.",
            labels=_LABELS,
        )
        throughput = GaugeMetricFamily(
            "entrepot_mirror_throughput_bytes_per_second",
            "What one connection to a mirror brought of late, by registry and mirror.",
            labels=_LABELS,
        )
        now = self._monotonic()
        for registry in self.registries.values():
            for mirror in registry.mirrors:
                labels, health = [registry.name, mirror.name], mirror.health
                is_now = health.state(now)
                for state in ("closed", "open", "half_open"):
                    states.add_metric([*labels, state], float(state == is_now))
                throttled.add_metric(labels, float(now < health.throttled_until))
                if health.throughput is not None:
                    throughput.add_metric(labels, health.throughput)
        yield from (states, throttled, throughput)
