"""A mirror that refuses is left alone, and limits are waited for."""

from __future__ import annotations

import pytest

from entrepot.errors import (
    AttemptError,
    BlockPage,
    MirrorDenied,
    MirrorFailed,
    MirrorLied,
    MirrorNotFound,
    MirrorSilent,
    MirrorThrottled,
    MirrorUnreachable,
)
from entrepot.survey.manners import LONGEST_WAIT_S, MOST_MISSES
from entrepot.upstream.limits import Kind
from fakes.images import image
from fakes.registry import FakeRegistry
from unit.survey.surveyed import PAUSE, Waiting, named, panel_of

URL, OTHER = "https://m.example/", "https://o.example"


@pytest.mark.parametrize("error", [BlockPage("x"), MirrorUnreachable("x"), MirrorSilent("x")])
def test_who_is_not_there_is_not_asked_again(error: AttemptError) -> None:
    manners = Waiting().manners()
    manners.note(URL, error)
    assert "not asked" in manners.refusal("https://m.example")
    assert "not asked" in manners.refusal(URL, Kind.BLOB)
    assert manners.refusal(OTHER) == ""


@pytest.mark.parametrize("kind", [MirrorNotFound, MirrorDenied, MirrorFailed])
def test_after_some_refusals_no_more_tags_are_asked_for(kind: type[AttemptError]) -> None:
    manners = Waiting().manners()
    for _ in range(MOST_MISSES):
        assert manners.refusal(URL) == ""
        manners.note(URL, kind("no", status=404))
    assert f"refused {MOST_MISSES} questions" in manners.refusal(URL)
    assert manners.refusal(URL, Kind.BLOB) == ""


def test_what_was_not_asked_or_was_anothers_fault_is_no_refusal() -> None:
    manners = Waiting().manners()
    elsewhere, unasked = MirrorUnreachable("x"), MirrorThrottled("our own limit")
    elsewhere.elsewhere, unasked.asked = "cdn.example", False
    for error in (elsewhere, unasked, MirrorLied("x"), *[MirrorNotFound("our names")] * 5):
        manners.note(URL, error)
    assert manners.refusal(URL) == ""


def test_who_wants_rest_has_it() -> None:
    waiting = Waiting()
    manners = waiting.manners()
    manners.note(URL, MirrorThrottled("429", status=429, retry_after_s=30.0))
    assert manners.refusal(URL).endswith("to be asked again in 30 s")
    waiting.now = 31.0
    assert manners.refusal(URL) == ""
    manners.note(URL, MirrorThrottled("429", status=429))
    assert manners.refusal(URL).endswith("in 60 s")


async def test_limits_are_waited_for_and_told() -> None:
    async with FakeRegistry() as registry:
        registry.put_image("pause", "3.1", image())
        limits = {"requests_per_minute": 1}
        async with panel_of(named(registry, "slow", limits=limits)) as panel:
            [member] = panel.members
            waiting = Waiting()
            manners = waiting.manners()
            await member.client.get_manifest(PAUSE.repository, PAUSE.tag)
            waiting.now = panel.manners.now()
            await manners.turn(member.client, Kind.TAG)
            [wait_s] = waiting.waits
            assert 1.0 < wait_s <= 60.0
            assert waiting.told == [("slow", wait_s)]
            waiting.now += 60.0
            await manners.turn(member.client, Kind.TAG)
            assert len(waiting.waits) == 1


async def test_too_long_a_wait_is_left_to_the_limit_itself() -> None:
    async with FakeRegistry() as registry:
        limits = {"failures": "1/2d"}
        async with panel_of(named(registry, "strict", limits=limits)) as panel:
            [member] = panel.members
            with pytest.raises(MirrorNotFound):
                await member.client.get_manifest(PAUSE.repository, PAUSE.tag)
            waiting = Waiting(now=panel.manners.now())
            await waiting.manners().turn(member.client, Kind.TAG)
            assert waiting.waits == []
            assert member.client.ready_in(waiting.now, Kind.TAG) > LONGEST_WAIT_S
