"""All mirrors of one image: what is put together, and how little is asked for it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from entrepot.survey.asking import State
from entrepot.survey.examination import Examiner
from entrepot.survey.findings import Ranges
from entrepot.survey.transfer import Sample
from entrepot.trust.fidelity import Fidelity
from entrepot.trust.level import Level
from entrepot.trust.pinfile import read_pin_file
from entrepot.trust.pins import Pins, combine
from fakes.copies import recompressed
from fakes.images import Image, Index, artifact, image, index
from fakes.registry import FakeRegistry
from unit.survey.surveyed import PAUSE, named, panel_of, pinned_to

ONE = image("one", platform="linux/arm64", layers=(3_000,))
BOTH = index([ONE, image("one", platform="linux/amd64", layers=(3_000,))])


async def test_what_is_found_out_is_put_together() -> None:
    async with FakeRegistry(token_auth=True) as mirror:
        mirror.put_image("google/pause", "v3.1", BOTH)
        rules = {"repository": "google/{name}", "tags": [{"match": "(.*)", "replace": "v\\1"}]}
        async with panel_of(named(mirror, "m", **rules)) as panel:
            found = await Examiner(pinned_to(BOTH), Sample()).examine(panel, PAUSE)
        [finding] = found.findings
        assert (found.digest, found.level) == (BOTH.digest, Level.PIN)
        assert found.pin is not None
        assert finding.upstream == f"{mirror.host}/google/pause:v3.1"
        assert finding.token_servers == (f"{mirror.url}/token",)
        assert finding.fidelity is Fidelity.VERBATIM
        assert finding.transfer.ranges is Ranges.HONEST
        # linux/amd64 of an index, though it is not the first one there
        assert str(BOTH.images[1].digest) in {one.path[-71:] for one in mirror.requests}


async def test_without_a_sample_no_layer_is_fetched() -> None:
    async with FakeRegistry() as mirror, panel_of(named(mirror, "m")) as panel:
        mirror.put_image("pause", "3.1", BOTH)
        found = await Examiner(pinned_to(BOTH), None).examine(panel, PAUSE)
        assert found.findings[0].transfer.ranges is Ranges.UNTRIED
        assert len(mirror.requests) == 1


async def test_one_host_is_asked_for_one_thing_at_a_time_and_left_alone_when_gone() -> None:
    async with FakeRegistry() as mirror:
        await mirror.stop()
        async with panel_of(named(mirror, "a"), named(mirror, "b")) as panel:
            found = await Examiner(Pins(), Sample()).examine(panel, PAUSE)
        assert [one.state for one in found.findings] == [State.UNREACHABLE, State.NOT_ASKED]
        assert (found.digest, found.usable) == (None, False)


async def test_what_has_no_platforms_is_measured_by_what_it_has() -> None:
    plain = index([artifact()])
    async with FakeRegistry() as mirror, panel_of(named(mirror, "m")) as panel:
        mirror.put_image("pause", "3.1", plain)
        found = await Examiner(pinned_to(plain), Sample()).examine(panel, PAUSE)
        assert found.findings[0].transfer.note == "no layer to measure with"
    async with FakeRegistry() as mirror, panel_of(named(mirror, "m")) as panel:
        mirror.put_image("pause", "3.1", index([ONE]))
        found = await Examiner(Pins(), Sample()).examine(panel, PAUSE)
        [finding] = found.findings
        assert (finding.fidelity, finding.pinned) == (None, None)
        assert finding.transfer.sound


async def test_each_of_a_pins_digests_is_the_owners() -> None:
    other = index([ONE])
    lines = ["schema: 1\n", "pins:\n", f"  {PAUSE}: [{BOTH.digest}, {other.digest}]\n"]
    pins = combine([read_pin_file("pins.yaml", lines)])
    async with FakeRegistry() as new, FakeRegistry() as old:
        new.put_image("pause", "3.1", BOTH)
        old.put_image("pause", "3.1", other)
        async with panel_of(named(old, "old"), named(new, "new")) as panel:
            found = await Examiner(pins, None).examine(panel, PAUSE)
    assert [one.fidelity for one in found.findings] == [Fidelity.VERBATIM] * 2
    assert all(one.usable for one in found.findings)


def with_layers_of(config: Image, layers: Image) -> Image:
    """The configuration of one image, and as many layers of another."""
    document = json.loads(config.manifest)
    document["layers"] = json.loads(layers.manifest)["layers"]
    return replace(config, manifest=json.dumps(document).encode(), layers=layers.layers)


@pytest.mark.parametrize("pushed", [ONE, BOTH], ids=["image", "index"])
async def test_the_owners_configuration_does_not_make_layers_the_owners(
    pushed: Image | Index,
) -> None:
    first = pushed.images[0] if isinstance(pushed, Index) else pushed
    honest, forged = recompressed(first), with_layers_of(first, image("evil", layers=(3_000,)))
    for copy, fidelity, told in (
        (honest, Fidelity.RECOMPRESSED, "its layer unpacks to the owner's"),
        (forged, Fidelity.OTHER, "with a layer of other files"),
    ):
        async with FakeRegistry() as owner, FakeRegistry() as mirror:
            owner.put_image("pause", "3.1", pushed)
            mirror.put_image("pause", "3.1", copy)
            async with panel_of(named(owner, "owner"), named(mirror, "m")) as panel:
                found = await Examiner(pinned_to(pushed), Sample()).examine(panel, PAUSE)
                beginning = await Examiner(pinned_to(pushed), Sample(2_000)).examine(panel, PAUSE)
        assert found.findings[1].fidelity is fidelity
        assert told in found.findings[1].detail
        assert beginning.findings[1].fidelity is Fidelity.RECOMPRESSED  # as far as is known
        assert "unpacks" not in beginning.findings[1].detail
