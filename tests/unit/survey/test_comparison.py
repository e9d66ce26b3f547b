"""Pinned tags on every mirror, by HEAD."""

from __future__ import annotations

from entrepot.oci.reference import Tag
from entrepot.survey.asking import State
from entrepot.survey.comparison import Compared, compare_with_pins
from entrepot.survey.wanted import Wanted
from fakes.images import image
from fakes.registry import FakeRegistry, Fault
from unit.survey.surveyed import PAUSE, REGISTRY, named, panel_of, pin_of

ONE, TWO = image("one"), image("two")
PIN = pin_of(ONE)


def wanted(tag: str) -> Wanted:
    return Wanted(REGISTRY, PAUSE.repository, Tag(tag))


async def test_right_wrong_and_silent() -> None:
    async with FakeRegistry() as good, FakeRegistry() as bad, FakeRegistry() as none:
        good.put_image("pause", "3.1", ONE)
        bad.put_image("pause", "3.1", TWO)
        mirrors = (named(good, "good"), named(bad, "bad"), named(none, "none"))
        async with panel_of(*mirrors, named(good, "lacks", only=["other"])) as panel:
            found = {one.mirror: one for one in await compare_with_pins(panel, {PAUSE: PIN})}
        assert {name: one.right for name, one in found.items()} == {
            "good": True,
            "bad": False,
            "none": None,
            "lacks": None,
        }
        assert found["bad"].digest == TWO.digest
        assert found["lacks"].state is State.NOT_CARRIED
        assert [one.method for one in good.requests] == ["HEAD"]


async def test_where_the_head_says_no_digest_the_bytes_do() -> None:
    async with FakeRegistry(digest_header=False) as mirror, panel_of(named(mirror, "m")) as panel:
        mirror.put_image("pause", "3.1", ONE)
        [found] = await compare_with_pins(panel, {PAUSE: PIN})
        assert found.right
        assert [one.method for one in mirror.requests] == ["HEAD", "GET"]


async def test_no_more_of_a_host_that_refuses_whatever_it_is_called() -> None:
    async with FakeRegistry() as mirror:
        mirror.fault(Fault("html", times=None))
        async with panel_of(named(mirror, "a"), named(mirror, "b")) as panel:
            asked = {wanted(str(number)): PIN for number in range(3)}
            found = await compare_with_pins(panel, asked)
        assert [one.state for one in found] == [State.BLOCK_PAGE, *[State.NOT_ASKED] * 5]
        assert len(mirror.requests) == 1


def test_nothing_said_is_neither_right_nor_wrong() -> None:
    assert Compared(PAUSE, PIN, "m", State.SILENT).right is None
