"""Whether a network is there at all."""

from __future__ import annotations

import pytest

from entrepot.errors import AllFailed, Attempt, ManifestUnknown
from entrepot.mirror.reach import Reach, is_out_of_reach


def failed(*outcomes: str) -> AllFailed:
    attempts = tuple(Attempt("m", "r", outcome, "why") for outcome in outcomes)
    return AllFailed("x", attempts)


@pytest.mark.parametrize(
    ("error", "out"),
    [
        (failed("unreachable", "silent"), True),
        (failed("unreachable", "denied"), False),
        (failed(), False),
    ],
)
def test_no_mirror_may_have_said_anything(error: AllFailed, out: bool) -> None:
    assert is_out_of_reach(error) is out


def test_two_images_are_enough_while_no_mirror_answers() -> None:
    silent = {"r": True, "other": True}
    reach = Reach(silent.__getitem__)
    first = failed("unreachable")
    assert not reach.is_lost("r")
    reach.note("r", first)
    assert reach.is_lost("r")
    assert reach.why_not("r") is None
    reach.note("r", failed("silent"))
    reach.note("other", ManifestUnknown("x"))
    why = reach.why_not("r")
    assert why is not None
    assert str(why) == "no mirror of r can be reached: not asked"
    assert why.attempts == first.attempts
    assert not reach.is_lost("other")
    silent["r"] = False
    assert reach.why_not("r") is None
    assert not reach.is_lost("r")
