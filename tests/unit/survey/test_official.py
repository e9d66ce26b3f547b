"""What the owner has: by the pin, by the owner's word, or by agreement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from entrepot.survey.asking import Answered, ask_tag
from entrepot.survey.official import find_official
from entrepot.survey.panel import Panel
from entrepot.trust.level import Level
from fakes.images import Image, image
from fakes.registry import FakeRegistry
from unit.survey.surveyed import PAUSE, named, panel_of, pin_of

ONE, TWO, THREE = image("one"), image("two"), image("three")


@asynccontextmanager
async def answers(
    *pushed: Image, authority: int | None = None, copying: str = "verbatim"
) -> AsyncIterator[tuple[Panel, list[Answered], list[FakeRegistry]]]:
    """One mirror for each image; what all of them say."""
    async with AsyncExitStack() as stack:
        registries = []
        for one in pushed:
            registry = await stack.enter_async_context(
                FakeRegistry(copying=copying)  # type: ignore[arg-type]
            )
            registry.put_image("pause", "3.1", one)
            registries.append(registry)
        mirrors = [
            named(registry, f"m{number}", authority=number == authority)
            for number, registry in enumerate(registries)
        ]
        panel = await stack.enter_async_context(panel_of(*mirrors))
        said = [await ask_tag(panel, member, PAUSE) for member in panel.members]
        for registry in registries:
            registry.clear()
        yield panel, said, registries


async def test_the_pins_bytes_are_those_of_whoever_has_them() -> None:
    async with answers(ONE, TWO, authority=0) as (panel, said, _):
        found = await find_official(panel, PAUSE, pin_of(TWO), said)
    assert found is not None
    assert found.manifest is not None
    assert (found.digest, found.level) == (TWO.digest, Level.PIN)
    assert [member.name for member in found.holders] == ["m1", "m0"]
    assert found.vouched_by == "pins.yaml:5 (s)"


async def test_the_pins_bytes_are_had_of_a_copy_that_was_written_anew() -> None:
    async with answers(ONE, copying="re-serialised") as (panel, said, registries):
        found = await find_official(panel, PAUSE, pin_of(ONE), said)
        assert registries[0].requests == []
    assert found is not None
    assert found.manifest is not None
    assert found.manifest.body == ONE.manifest


async def test_the_pins_bytes_are_asked_for_by_digest_last() -> None:
    async with answers(ONE, TWO, THREE) as (panel, said, registries):
        other = image("four")
        registries[1].put_image("pause", None, other)
        found = await find_official(panel, PAUSE, pin_of(other), said)
        assert found is not None
        assert found.manifest is not None
        assert found.digest == other.digest
        assert [len(one.requests) for one in registries] == [1, 1, 0]
        registries[1].content.repositories.clear()
        nobody = await find_official(panel, PAUSE, pin_of(image("five")), said)
        assert nobody is not None
        assert nobody.manifest is None
        assert [len(one.requests) for one in registries] == [2, 2, 0]


async def test_the_owners_word_counts_where_there_is_no_pin() -> None:
    async with answers(ONE, TWO, ONE, authority=1) as (panel, said, _):
        found = await find_official(panel, PAUSE, None, said)
    assert found is not None
    assert (found.digest, found.level, found.vouched_by) == (TWO.digest, Level.AUTHORITY, "m1")


async def test_two_that_agree_count_and_a_draw_does_not() -> None:
    async with answers(ONE, TWO, ONE) as (panel, said, _):
        found = await find_official(panel, PAUSE, None, said)
        assert found is not None
        assert (found.digest, found.level) == (ONE.digest, Level.AGREEMENT)
        assert found.vouched_by == "m0, m2"
        assert await find_official(panel, PAUSE, None, said[:2]) is None
        assert await find_official(panel, PAUSE, None, []) is None
    async with answers(ONE, TWO, ONE, TWO) as (panel, said, _):
        assert await find_official(panel, PAUSE, None, said) is None
