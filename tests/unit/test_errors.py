"""The exception tree is the one its docstring draws, and its messages are for people."""

from __future__ import annotations

import re

import pytest

from entrepot import errors
from entrepot.errors import (
    AllThrottled,
    Attempt,
    AttemptError,
    EntrepotError,
    MirrorThrottled,
    RangeNotSatisfiable,
)


def drawn() -> dict[str, str]:
    """Child -> parent, read off the drawing."""
    assert errors.__doc__ is not None
    path: list[str] = ["EntrepotError"]
    found: dict[str, str] = {}
    for branch, name in re.findall(r"^    ([│ ]*[├└]── )(\w+)", errors.__doc__, re.MULTILINE):
        depth = len(branch) // 4
        path[depth:] = [name]
        found[name] = path[depth - 1]
    return found


def defined() -> dict[str, str]:
    classes = [one for one in vars(errors).values() if isinstance(one, type)]
    ours = [one for one in classes if issubclass(one, EntrepotError) and one is not EntrepotError]
    return {one.__name__: one.__base__.__name__ for one in ours if one.__base__ is not None}


def test_the_tree_is_as_drawn() -> None:
    assert drawn() == defined()


def test_every_outcome_of_an_attempt_is_another_word() -> None:
    kinds = [one for one in AttemptError.__subclasses__() if one.__module__ == errors.__name__]
    assert len({kind.outcome for kind in kinds}) == len(kinds)


def attempt(retry_after_s: float | None) -> Attempt:
    return Attempt("m", "pause", "throttled", "HTTP 429", 429, 0, retry_after_s)


@pytest.mark.rule("E-2")
@pytest.mark.parametrize(
    ("told", "expected"), [([60.0, 7.0], 7.0), ([None, 9.0], 9.0), ([None], 30.0), ([], 30.0)]
)
def test_come_back_when_the_first_mirror_may_be_asked(
    told: list[float | None], expected: float
) -> None:
    error = AllThrottled("throttled", [attempt(one) for one in told])
    assert error.retry_after_s == expected
    assert len(error.attempts) == len(told)


def test_errors_keep_what_they_were_told() -> None:
    assert str(RangeNotSatisfiable(10)) == "the blob has 10 bytes"
    assert RangeNotSatisfiable(10).size == 10
    throttled = MirrorThrottled("HTTP 429", status=429, retry_after_s=3.0)
    assert (throttled.status, throttled.retry_after_s, str(throttled)) == (429, 3.0, "HTTP 429")
