from __future__ import annotations

import pytest
from yarl import URL

from entrepot.errors import AttemptError, MirrorFailed, MirrorThrottled
from entrepot.upstream.limits import Kind
from entrepot.upstream.request import Question
from entrepot.upstream.rests import LONGEST_S, UNTOLD_S, Rests


def asked(kind: Kind, method: str = "GET") -> Question:
    return Question(method, URL("https://mirror.example/v2/"), "", {}, kind)


def throttled(retry_after_s: float | None, **said: object) -> MirrorThrottled:
    error = MirrorThrottled("answered 429", status=429, retry_after_s=retry_after_s)
    for name, value in said.items():
        setattr(error, name, value)
    return error


@pytest.mark.rule("U-9")
@pytest.mark.parametrize(
    ("told_s", "rest_s"), [(60.0, 60.0), (None, UNTOLD_S), (86400.0, LONGEST_S), (0.0, 0.0)]
)
def test_it_is_left_alone_for_as_long_as_it_said(told_s: float | None, rest_s: float) -> None:
    rests = Rests()
    rests.see(asked(Kind.TAG), throttled(told_s), 100.0)
    if rest_s:
        with pytest.raises(MirrorThrottled, match="answered 429 before; to be asked") as caught:
            rests.check(asked(Kind.TAG), 100.0 + rest_s / 4)
        assert caught.value.retry_after_s == pytest.approx(rest_s * 3 / 4)
        assert not caught.value.asked
    rests.check(asked(Kind.TAG), 100.0 + rest_s)


def test_only_what_was_refused_is_not_asked_for() -> None:
    rests = Rests()
    rests.see(asked(Kind.MANIFEST), throttled(60.0), 0.0)
    with pytest.raises(MirrorThrottled):
        rests.check(asked(Kind.TAG), 1.0)
    for other in (asked(Kind.TAG, "HEAD"), asked(Kind.BLOB), asked(Kind.LIST)):
        rests.check(other, 1.0)


@pytest.mark.parametrize(
    "error",
    [
        MirrorFailed("answered 500", status=500),
        throttled(60.0, asked=False),
        throttled(60.0, elsewhere="cdn.example:443"),
    ],
    ids=["another failure", "our own limit", "another host"],
)
def test_nothing_else_makes_it_rest(error: AttemptError) -> None:
    rests = Rests()
    rests.see(asked(Kind.BLOB), error, 0.0)
    rests.check(asked(Kind.BLOB), 0.0)
