"""How the mirrors stand, at a scrape."""

from __future__ import annotations

from entrepot.config import MirrorSettings, TimeoutSettings
from entrepot.errors import MirrorSilent, MirrorThrottled
from entrepot.mirror.mirrorstates import MirrorStates
from entrepot.mirror.registry import Registry
from entrepot.upstream.mirror import MirrorClient


def client(name: str) -> MirrorClient:
    settings = MirrorSettings.model_validate({"url": f"http://{name}.test", "name": name})
    return MirrorClient("r", settings, TimeoutSettings())


async def test_breakers_throttles_and_speeds() -> None:
    well, silent, busy = client("well"), client("silent"), client("busy")
    well.health.record_throughput(1000.0)
    silent.health.record_failure(MirrorSilent("nothing"), now=100.0)
    busy.health.record_failure(MirrorThrottled("later", retry_after_s=60.0), now=100.0)
    now = 101.0
    states = MirrorStates({"r": Registry("r", (well, silent, busy), 0.0)}, lambda: now)

    def told() -> dict[tuple[str, ...], float]:
        return {
            (one.name.removeprefix("entrepot_mirror_"), *list(one.labels.values())[1:]): one.value
            for family in states.collect()
            for one in family.samples
        }

    assert told()["state", "well", "closed"] == 1
    assert told()["state", "silent", "open"] == 1
    assert told()["state", "silent", "closed"] == 0
    assert told()["throttled", "busy"] == 1
    assert told()["throttled", "silent"] == 0
    assert told()["throughput_bytes_per_second", "well"] == 1000
    assert ("throughput_bytes_per_second", "silent") not in told()
    now = 150.0
    assert told()["state", "silent", "half_open"] == 1
