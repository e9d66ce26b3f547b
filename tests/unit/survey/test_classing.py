"""Copies that the two manifests alone do not tell apart."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from entrepot.oci.manifest import read_manifest
from entrepot.survey.asking import ask_tag
from entrepot.survey.classing import Class, Classifier
from entrepot.survey.official import find_official
from entrepot.survey.panel import Panel
from entrepot.trust.fidelity import Fidelity
from entrepot.trust.pins import Pins
from fakes.copies import Copying, compact, copied, recompressed
from fakes.images import Image, Index, image, index
from fakes.registry import FakeRegistry
from unit.survey.surveyed import PAUSE, named, panel_of, pin_of, pinned_to

AMD64, ARM64 = image("one", platform="linux/amd64"), image("one", platform="linux/arm64")
INDEX = index([AMD64, ARM64])
ALIEN = image("other", platform="linux/s390x")


def changed(*images: Image) -> Index:
    """An index as a mirror makes it of its own images."""
    return replace(index(images), images=tuple(images))


async def classed(
    official: Image | Index, copy: Image | Index, *, pins: Pins | None = None
) -> Class:
    async with FakeRegistry() as owner, FakeRegistry() as mirror:
        owner.put_image("pause", "3.1", official)
        mirror.put_image("pause", "3.1", copy)
        async with panel_of(named(owner, "owner"), named(mirror, "mirror")) as panel:
            return await _classify(panel, official, pins or Pins())


async def _classify(panel: Panel, official: Image | Index, pins: Pins) -> Class:
    said = [await ask_tag(panel, member, PAUSE) for member in panel.members]
    found = await find_official(panel, PAUSE, pin_of(official), said)
    received = said[-1].manifest
    assert received is not None
    return await Classifier(panel, PAUSE, found, pins).classify(panel.members[-1], received)


@pytest.mark.parametrize(
    ("official", "copying", "fidelity"),
    [
        (INDEX, "verbatim", Fidelity.VERBATIM),
        (INDEX, "single-arch", Fidelity.SINGLE_ARCH),
        (INDEX, "re-serialised", Fidelity.RESERIALISED),
        (INDEX, "re-compressed", Fidelity.RECOMPRESSED),
        (INDEX, "rebuilt", Fidelity.OTHER),
        (AMD64, "verbatim", Fidelity.VERBATIM),
        (AMD64, "single-arch", Fidelity.VERBATIM),
        (AMD64, "re-serialised", Fidelity.RESERIALISED),
        (AMD64, "re-compressed", Fidelity.RECOMPRESSED),
        (AMD64, "rebuilt", Fidelity.OTHER),
    ],
)
async def test_what_mirrors_make_of_images(
    official: Image | Index, copying: Copying, fidelity: Fidelity
) -> None:
    assert (await classed(official, copied(official, copying))).fidelity is fidelity


def written_anew(one: Image) -> Image:
    return replace(one, manifest=compact(one.manifest))


@pytest.mark.parametrize(
    ("copy", "fidelity", "detail"),
    [
        (changed(AMD64), Fidelity.SINGLE_ARCH, "an index of 1 of the owner's 2 platforms"),
        (changed(*map(written_anew, INDEX.images)), Fidelity.RESERIALISED, "seen by linux/amd64"),
        (changed(*map(recompressed, INDEX.images)), Fidelity.RECOMPRESSED, "seen by linux/amd64"),
        (changed(image("x"), ARM64), Fidelity.OTHER, "seen by linux/amd64"),
        (changed(ALIEN), Fidelity.OTHER, "an index of none of the owner's platforms"),
        (ALIEN, Fidelity.OTHER, "an image that is for none of the index's platforms"),
        (written_anew(ARM64), Fidelity.SINGLE_ARCH, ""),
    ],
)
async def test_indexes_are_compared_by_what_is_in_them(
    copy: Image | Index, fidelity: Fidelity, detail: str
) -> None:
    assert await classed(INDEX, copy) == Class(fidelity, detail)


async def test_an_index_in_place_of_an_image_is_something_else() -> None:
    assert (await classed(AMD64, INDEX)).fidelity is Fidelity.OTHER


async def test_what_can_be_written_back_is_told() -> None:
    assert "written back: 3 spaces" in (await classed(INDEX, written_list())).detail
    spoilt = replace(INDEX, manifest=json.dumps(json.loads(INDEX.manifest) | {"x": 1}).encode())
    assert "in no way that" in (await classed(INDEX, spoilt)).detail


def written_list() -> Index:
    return replace(INDEX, manifest=compact(INDEX.manifest))


@asynccontextmanager
async def alone(pushed: Image) -> AsyncIterator[Panel]:
    """One mirror, which has not got what is pinned."""
    async with FakeRegistry() as mirror, panel_of(named(mirror, "mirror")) as panel:
        mirror.put_image("pause", "3.1", pushed)
        yield panel


async def test_without_the_owners_index_the_pins_of_its_parts_help() -> None:
    pins = pinned_to(AMD64, repository="pause-amd64")
    for pushed in (AMD64, written_anew(AMD64)):
        async with alone(pushed) as panel:
            found = await _classify(panel, INDEX, pins)
            assert found == Class(Fidelity.SINGLE_ARCH, "the owner's pause-amd64")
    async with alone(ALIEN) as panel:
        assert (await _classify(panel, INDEX, pins)).fidelity is None


async def test_without_anything_to_compare_with_there_is_no_class() -> None:
    async with alone(AMD64) as panel:
        received = read_manifest(AMD64.manifest, None)
        found = await Classifier(panel, PAUSE, None, Pins()).classify(panel.members[0], received)
    assert (found.fidelity, found.detail.startswith("no pin")) == (None, True)


async def test_a_config_that_is_not_what_it_should_be_tells_nothing() -> None:
    copy = recompressed(AMD64)
    async with FakeRegistry() as owner, FakeRegistry() as mirror:
        owner.put_image("pause", "3.1", AMD64)
        mirror.put_image("pause", "3.1", copy)
        config = next(iter(mirror.content.repositories["pause"].blobs))
        mirror.content.repositories["pause"].blobs[config] = b"x" * len(copy.config)
        async with panel_of(named(owner, "owner"), named(mirror, "mirror")) as panel:
            assert (await _classify(panel, AMD64, Pins())).fidelity is Fidelity.OTHER
