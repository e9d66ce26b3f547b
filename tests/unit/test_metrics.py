"""What is counted, and how it is told."""

from __future__ import annotations

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from entrepot.metrics import Metrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(metrics: Metrics) -> Samples:
    return parsed(metrics.render())


def parsed(text: bytes) -> Samples:
    families = text_string_to_metric_families(text.decode())
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in families
        for one in family.samples
    }


def test_requests_by_registry_kind_result_and_status() -> None:
    metrics = Metrics()
    for _ in range(2):
        metrics.request(("docker.io", "blob", "hit", "206"), 100, 0.003)
    metrics.request(("docker.io", "blob", "gone", "206"), 0, 3.0)
    found = samples(metrics)
    labels = [("kind", "blob"), ("registry", "docker.io"), ("result", "hit"), ("status", "206")]
    assert found["entrepot_requests_total", tuple(labels)] == 2
    assert found["entrepot_sent_bytes_total", (("registry", "docker.io"),)] == 200
    assert found["entrepot_request_seconds_count", (("kind", "blob"),)] == 3
    assert found["entrepot_request_seconds_bucket", (("kind", "blob"), ("le", "0.005"))] == 2


def test_what_no_mirror_would_have_sent_is_not_counted_as_saved() -> None:
    metrics = Metrics()
    metrics.request(("", "other", "hit", "200"), 23_000, 0.001)
    metrics.request(("docker.io", "manifest", "error", "502"), 400, 0.001)
    metrics.request(("docker.io", "manifest", "hit", "200"), 7, 0.001)
    assert metrics.tally.sent_bytes == 7


def test_mirrors() -> None:
    metrics = Metrics()
    metrics.attempt("docker.io", "a", "silent")
    metrics.fetched("docker.io", "a", 10)
    metrics.fetched("docker.io", "a", 5)
    metrics.rejected("docker.io", "a")
    metrics.relay.bytes.labels("docker.io").inc(7)
    found = samples(metrics)
    mirror = (("mirror", "a"), ("registry", "docker.io"))
    outcome = (("mirror", "a"), ("outcome", "silent"), ("registry", "docker.io"))
    assert found["entrepot_mirror_attempts_total", outcome] == 1
    assert found["entrepot_mirror_bytes_total", mirror] == 15
    assert found["entrepot_rejected_blobs_total", mirror] == 1
    assert found["entrepot_relayed_bytes_total", (("registry", "docker.io"),)] == 7


def test_cache() -> None:
    metrics = Metrics()
    metrics.cache.bytes.set(7)
    metrics.cache.evicted_images.inc(2)
    metrics.cache.evicted_bytes.inc(5)
    metrics.cache.eviction_seconds.observe(0.1)
    found = samples(metrics)
    assert found["entrepot_cache_bytes", ()] == 7
    assert found["entrepot_cache_limit_bytes", ()] == 0
    assert found["entrepot_evicted_images_total", ()] == 2
    assert found["entrepot_evicted_bytes_total", ()] == 5
    assert found["entrepot_eviction_seconds_count", ()] == 1


def test_two_servers_in_one_process_do_not_share_counters() -> None:
    first, second = Metrics(), Metrics()
    first.fills.inc()
    assert samples(first)["entrepot_fills", ()] == 1
    assert samples(second)["entrepot_fills", ()] == 0


def test_everything_is_explained_and_in_base_units() -> None:
    metrics = Metrics()
    text = metrics.render().decode()
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    helped = {line.split(" ", 3)[2] for line in text.splitlines() if line.startswith("# HELP")}
    assert names == helped
    assert all(name.startswith("entrepot_") for name in names)
    assert not any(name.endswith(("_ms", "_kb", "_minutes")) for name in names)


def test_the_switch_and_what_it_refused() -> None:
    metrics = Metrics()
    metrics.offline.set_function(lambda: 1.0)
    metrics.offline_refusals.labels("docker.io", "manifest").inc()
    found = samples(metrics)
    assert found["entrepot_offline", ()] == 1
    labels = (("kind", "manifest"), ("registry", "docker.io"))
    assert found["entrepot_offline_refusals_total", labels] == 1


async def test_a_scrape_tells_what_could_leak() -> None:
    metrics = Metrics()
    for found in [parsed(await metrics.scrape()), parsed(await metrics.scrape())]:
        assert found["entrepot_tasks", ()] == len(asyncio.all_tasks())
        assert found["process_resident_memory_bytes", ()] > 1 << 20
        assert found["process_open_fds", ()] > 2
        assert found["entrepot_fills", ()] == 0
