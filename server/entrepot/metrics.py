"""What is counted, under which name; one instance per process, rendered by the admin listener."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_text

_END = b"# EOF\n"  # of OpenMetrics, once, at the very end
_CONTENT = frozenset({"manifest", "blob"})
_HITS = frozenset({"hit", "join", "revalidated", "stale"})  # no download for this one
_LATENCY_BUCKETS_S = (0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 25, 60, 300)


class CacheMetrics:
    """How full the cache is, and what went to make room."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.bytes = Gauge(
            "entrepot_cache_bytes", "Bytes of the blobs and manifests kept.", registry=registry
        )
        self.blobs = Gauge(
            "entrepot_cache_blobs", "Blobs kept, manifests among them.", registry=registry
        )
        self.limit = Gauge(
            "entrepot_cache_limit_bytes", "cache.max_size; 0 when there is none.", registry=registry
        )
        self.evicted_bytes = Counter(
            "entrepot_evicted_bytes", "Bytes removed to make room.", registry=registry
        )
        self.evicted_images = Counter(
            "entrepot_evicted_images",
            "Images, and blobs that belonged to none, removed to make room.",
            registry=registry,
        )
        self.not_kept = Counter(
            "entrepot_blobs_not_kept",
            "Blobs served and not kept, because no room could be made.",
            registry=registry,
        )
        self.eviction_seconds = Histogram(
            "entrepot_eviction_seconds",
            "Seconds that making room took.",
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )


class UpkeepMetrics:
    """What looking after the cache found and did."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.scrubbed_bytes = Counter(
            "entrepot_scrub_bytes", "Bytes of kept blobs hashed again.", registry=registry
        )
        self.scrubbed_blobs = Counter(
            "entrepot_scrub_blobs", "Kept blobs hashed again.", registry=registry
        )
        self.rotten = Counter(
            "entrepot_scrub_rotten",
            "Kept blobs that were not what their digest says any more; moved to quarantine/.",
            registry=registry,
        )
        self.scrub_round = Gauge(
            "entrepot_scrub_round_timestamp_seconds",
            "When every blob had last been hashed again, in seconds of the epoch; 0 for never.",
            registry=registry,
        )
        self.sweep = Gauge(
            "entrepot_sweep_timestamp_seconds",
            "When the last sweep of the cache ended, in seconds of the epoch; 0 for none yet.",
            registry=registry,
        )


class RelayMetrics:
    """What the disk did not take."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.running = Gauge(
            "entrepot_relays",
            "Downloads in progress that are passed on from memory and not kept.",
            registry=registry,
        )
        self.bytes = Counter(
            "entrepot_relayed_bytes",
            "Blob bytes passed on without keeping them, because the disk did not take them, by"
            " registry.",
            ["registry"],
            registry=registry,
        )


class FillMetrics:
    """How downloads end, and how long clients wait for their beginning."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ended = Counter(
            "entrepot_fills_ended",
            "Blob downloads that came to an end, by registry and outcome (whole, relayed, failed).",
            ["registry", "outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "entrepot_fill_seconds",
            "Seconds that a blob download took, by outcome.",
            ["outcome"],
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.readers = Gauge(
            "entrepot_fill_readers",
            "Clients that are sent a blob while it is downloaded.",
            registry=registry,
        )
        self.wait_seconds = Histogram(
            "entrepot_fill_wait_seconds",
            "Seconds that a client waited until a download had begun, by source (fill: it was begun"
            " for it; join: it was in progress).",
            ["source"],
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )


class MirrorMetrics:
    """What is asked of mirrors, and what comes back."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.attempts = Counter(
            "entrepot_mirror_attempts",
            "Questions to mirrors, by registry, mirror and outcome.",
            ["registry", "mirror", "outcome"],
            registry=registry,
        )
        self.fetched = Counter(
            "entrepot_mirror_bytes",
            "Blob bytes received from mirrors, by registry and mirror.",
            ["registry", "mirror"],
            registry=registry,
        )
        self.answer_seconds = Histogram(
            "entrepot_mirror_answer_seconds",
            "Seconds from a question to a mirror to the head of its answer, by registry, mirror and"
            " kind (manifest, blob).",
            ["registry", "mirror", "kind"],
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.openings = Counter(
            "entrepot_mirror_openings",
            "Times that a mirror's breaker opened, or stayed open for longer, by registry and"
            " mirror.",
            ["registry", "mirror"],
            registry=registry,
        )


@dataclass(slots=True)
class Tally:
    """Sums since the start, for whoever shows them; requests are those for content."""

    requests: int = 0
    hits: int = 0
    errors: int = 0
    failed: int = 0
    """Those of the errors that were trouble: not what is nowhere, forbidden, or refused offline."""
    sent_bytes: int = 0
    fetched_bytes: int = 0
    fetched_from: defaultdict[tuple[str, str], int] = field(
        default_factory=lambda: defaultdict(int)
    )


class Metrics:
    """Counters with their label sets resolved once: the hot path pays for an addition only."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self.tally = Tally()
        self._requests = Counter(
            "entrepot_requests",
            "Requests answered, by registry, kind (manifest, blob, tags, referrers, ping, other),"
            " result (hit, miss, stale, join, revalidated, error) and status.",
            ["registry", "kind", "result", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "entrepot_request_seconds",
            "Seconds from the request's head to the last byte of the answer, by kind.",
            ["kind"],
            buckets=_LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self._sent = Counter(
            "entrepot_sent_bytes",
            "Body bytes sent to clients, by registry.",
            ["registry"],
            registry=self.registry,
        )
        self.mirror = MirrorMetrics(self.registry)
        self.fills = Gauge("entrepot_fills", "Blob downloads in progress.", registry=self.registry)
        self.fill = FillMetrics(self.registry)
        self.relay = RelayMetrics(self.registry)
        self.stale = Counter(
            "entrepot_stale_answers",
            "Tags answered from an older check because no mirror could be asked.",
            ["registry"],
            registry=self.registry,
        )
        self.offline, self.offline_refusals = _offline(self.registry)
        self._rejected = Counter(
            "entrepot_rejected_blobs",
            "Downloads whose bytes were not what their digest says, by registry and mirror.",
            ["registry", "mirror"],
            registry=self.registry,
        )
        self.signatures = _signatures(self.registry)
        self.look_ahead, self.look_ahead_bytes = _look_ahead(self.registry)
        self._distrusted = _distrusted(self.registry)
        self.cache = CacheMetrics(self.registry)
        self.upkeep = UpkeepMetrics(self.registry)
        self._refused = _refused(self.registry)
        self._tasks = Gauge("entrepot_tasks", "Tasks of the event loop.", registry=self.registry)
        self._process: CollectorRegistry | None = None
        self._known: dict[tuple[str, ...], Counter] = {}
        self._timers: dict[str, Histogram] = {}
        self._answers: dict[tuple[str, str, str], Histogram] = {}

    def request(
        self,
        labels: tuple[str, str, str, str],
        sent_bytes: int,
        seconds: float,
        *,
        failed: bool = False,
    ) -> None:
        """Count one finished request; `labels` are registry ("" if none), kind, result, status."""
        registry, kind, result, _ = labels
        if kind in _CONTENT:
            self.tally.requests += 1
            self.tally.hits += result in _HITS
            self.tally.errors += result == "error"
            self.tally.failed += failed
            # Only what a mirror would have had to send counts as saved.
            self.tally.sent_bytes += 0 if result == "error" else sent_bytes
        self._labelled(self._requests, "requests", *labels).inc()
        if sent_bytes:
            self._labelled(self._sent, "sent", registry).inc(sent_bytes)
        timer = self._timers.get(kind)
        if timer is None:
            timer = self._timers[kind] = self._seconds.labels(kind)
        timer.observe(seconds)

    def attempt(self, registry: str, mirror: str, outcome: str) -> None:
        """Count one question to one mirror."""
        self._labelled(self.mirror.attempts, "attempts", registry, mirror, outcome).inc()

    def answered(self, registry: str, mirror: str, kind: str, seconds: float) -> None:
        """Count how long a mirror took to begin an answer."""
        key = (registry, mirror, kind)
        timer = self._answers.get(key)
        if timer is None:
            timer = self._answers[key] = self.mirror.answer_seconds.labels(*key)
        timer.observe(seconds)

    def opened(self, registry: str, mirror: str) -> None:
        """Count one opening of a mirror's breaker."""
        self._labelled(self.mirror.openings, "openings", registry, mirror).inc()

    def fetched(self, registry: str, mirror: str, count: int) -> None:
        """Count blob bytes received."""
        self._labelled(self.mirror.fetched, "fetched", registry, mirror).inc(count)
        self.tally.fetched_bytes += count
        self.tally.fetched_from[registry, mirror] += count

    def rejected(self, registry: str, mirror: str) -> None:
        """Count one download that did not verify."""
        self._labelled(self._rejected, "rejected", registry, mirror).inc()

    def distrusted(self, registry: str, mirror: str, reason: str) -> None:
        """Count one word of a mirror about a tag that was not used."""
        self._labelled(self._distrusted, "distrusted", registry, mirror, reason).inc()

    def refused(self, reason: str) -> None:
        """Count one connection of a client that was not let in, or cut off."""
        self._labelled(self._refused, "refused", reason).inc()

    def render(self, *, openmetrics: bool = False) -> bytes:
        """What was counted here, in the text format of Prometheus or of OpenMetrics, UTF-8."""
        return _writer(openmetrics)(self.registry)

    async def scrape(self, *, openmetrics: bool = False) -> bytes:
        """What `render` tells and what could leak: tasks, memory, open files, Python's garbage."""
        self._tasks.set(len(asyncio.all_tasks()))
        ours = self.render(openmetrics=openmetrics)
        # The kernel is asked through files below /proc, which is nothing for the loop's thread.
        return ours.removesuffix(_END) + await asyncio.to_thread(self._render_process, openmetrics)

    def _render_process(self, openmetrics: bool) -> bytes:  # noqa: FBT001 - for to_thread
        if self._process is None:
            # Without our prefix: under the names that everybody's dashboards know.
            self._process = CollectorRegistry()
            ProcessCollector(registry=self._process)
            PlatformCollector(registry=self._process)
            GCCollector(registry=self._process)
        return _writer(openmetrics)(self._process)

    def _labelled(self, counter: Counter, family: str, *labels: str) -> Counter:
        key = (family, *labels)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = counter.labels(*labels)
        return known


def _writer(openmetrics: bool) -> Callable[[CollectorRegistry], bytes]:  # noqa: FBT001
    return openmetrics_text if openmetrics else generate_latest


def _offline(registry: CollectorRegistry) -> tuple[Gauge, Counter]:
    return (
        Gauge(
            "entrepot_offline",
            "1 while nothing may go out, by the switch; whether mirrors answer is not in it.",
            registry=registry,
        ),
        Counter(
            "entrepot_offline_refusals",
            "Requests refused because what they need is not here while Entrepot is offline.",
            ["registry", "kind"],
            registry=registry,
        ),
    )


def _signatures(registry: CollectorRegistry) -> Counter:
    return Counter(
        "entrepot_signature_verdicts",
        "Images whose signature was looked for, by registry and verdict"
        " (proved, refused, unheard).",
        ["registry", "verdict"],
        registry=registry,
    )


def _distrusted(registry: CollectorRegistry) -> Counter:
    return Counter(
        "entrepot_trust_refusals",
        "What mirrors said of tags and was not used, by registry, mirror and reason (pinned, moved,"
        " outvoted, policy).",
        ["registry", "mirror", "reason"],
        registry=registry,
    )


def _look_ahead(registry: CollectorRegistry) -> tuple[Counter, Counter]:
    return (
        Counter(
            "entrepot_look_ahead_blobs",
            "Blobs of served manifests before anybody asked, by outcome (fetched, failed,"
            " no_room).",
            ["outcome"],
            registry=registry,
        ),
        Counter(
            "entrepot_look_ahead_bytes",
            "Bytes of the blobs that were fetched so, also of those that a client joined.",
            registry=registry,
        ),
    )


def _refused(registry: CollectorRegistry) -> Counter:
    return Counter(
        "entrepot_refused_connections",
        "Connections not let in, or cut off, by reason (too_many_connections,"
        " too_many_from_one_address, malformed, head_too_large, slow_head, slow_reader,"
        " no_handshake).",
        ["reason"],
        registry=registry,
    )
