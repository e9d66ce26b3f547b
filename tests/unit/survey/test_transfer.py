"""What a mirror does with a layer: whole, part, wrong, or slowly."""

from __future__ import annotations

import pytest

from entrepot.oci.manifest import descriptors, read_manifest
from entrepot.survey.findings import Ranges, Transfer
from entrepot.survey.transfer import Sample, measure
from fakes.images import image
from fakes.registry import FakeRegistry, Fault
from unit.survey.surveyed import PAUSE, named, panel_of

ONE = image("one", layers=(400_000,))
LAYER = descriptors(read_manifest(ONE.manifest, None))[1]
SMALL = Sample(bytes=300_000)


async def measured(*faults: Fault, sample: Sample | None = None) -> tuple[Transfer, list[str]]:
    """The transfer, and the ranges that were asked for."""
    async with FakeRegistry() as registry, panel_of(named(registry, "m")) as panel:
        registry.put_image("pause", "3.1", ONE)
        for fault in faults:
            registry.fault(fault)
        found = await measure(panel, panel.members[0], PAUSE.repository, LAYER, sample or Sample())
        return found, [one.headers.get("Range", "") for one in registry.requests]


async def test_an_honest_mirror() -> None:
    found, asked = await measured()
    assert (found.bytes, found.sound, found.ranges) == (400_000, True, Ranges.HONEST)
    assert found.bytes_per_second
    assert found.first_byte_s is not None
    assert asked == ["", "bytes=133333-198868"]


async def test_of_a_large_layer_only_the_beginning_is_fetched() -> None:
    found, asked = await measured(sample=SMALL)
    assert (found.bytes, found.sound, found.ranges) == (300_000, None, Ranges.HONEST)
    assert asked[0] == "bytes=0-299999"


async def test_who_ignores_ranges_is_stopped_all_the_same() -> None:
    found, _ = await measured(Fault("ignore_range", times=None), sample=SMALL)
    assert found.bytes >= 300_000
    assert found.ranges is Ranges.IGNORED


@pytest.mark.parametrize(
    "fault",
    [Fault("wrong_content_range"), Fault("flip", after_bytes=133_334)],
    ids=["another range", "another byte"],
)
async def test_ranges_that_are_wrong(fault: Fault) -> None:
    harmless = Fault("status", path="never")
    async with FakeRegistry() as registry, panel_of(named(registry, "m")) as panel:
        registry.put_image("pause", "3.1", ONE)
        registry.fault(harmless)
        registry.trouble(lambda one: fault if "Range" in one.headers else None)
        found = await measure(panel, panel.members[0], PAUSE.repository, LAYER, Sample())
    assert (found.sound, found.ranges) == (True, Ranges.WRONG)


async def test_wrong_bytes_are_told_and_no_more_is_asked() -> None:
    found, asked = await measured(Fault("flip"))
    assert (found.sound, found.ranges, len(asked)) == (False, Ranges.UNTRIED, 1)
    found, _ = await measured(Fault("html"))
    assert (found.sound, found.bytes) == (False, 0)
    assert "block page" in found.note


async def test_what_breaks_off_is_told() -> None:
    found, asked = await measured(Fault("truncate", after_bytes=100_000))
    assert found.bytes <= 100_000
    assert (found.sound, len(asked)) == (None, 1)
    assert "early" in found.note
    found, _ = await measured(Fault("status", status=503, path="/blobs/"))
    assert "503" in found.note


async def test_the_second_question_may_fail_alone() -> None:
    async with FakeRegistry() as registry, panel_of(named(registry, "m")) as panel:
        registry.put_image("pause", "3.1", ONE)
        registry.trouble(
            lambda one: Fault("status", status=500) if "Range" in one.headers else None
        )
        found = await measure(panel, panel.members[0], PAUSE.repository, LAYER, Sample())
    assert (found.sound, found.ranges) == (True, Ranges.UNTRIED)
    assert "500" in found.note


async def test_time_ends_a_measurement_too() -> None:
    found, _ = await measured(sample=Sample(seconds=0.0))
    assert 0 < found.bytes <= 400_000


async def test_a_silent_mirror_is_not_waited_for_for_ever() -> None:
    async with (
        FakeRegistry(accept_silently=True) as registry,
        panel_of(named(registry, "m", patience="100ms")) as panel,
    ):
        found = await measure(panel, panel.members[0], PAUSE.repository, LAYER, Sample())
    assert "no answer within 0.1 s" in found.note
    assert found.bytes == 0
