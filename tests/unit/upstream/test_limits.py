"""Accounts over sliding windows, on a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.config import LimitSettings
from entrepot.upstream.limits import Kind, Limits, Window


def limits(**written: object) -> Limits:
    return Limits(LimitSettings.model_validate(written))


def test_a_window_has_room_until_it_is_used_up() -> None:
    window = Window(2, 60)
    window.record(1, 0)
    assert window.wait(0) == 0
    window.record(1, 10)
    assert window.wait(10) == 50
    assert window.wait(59) == 1
    assert window.wait(60) == 0
    assert repr(window) == "<Window 1 of 2 in 60 s>"


def test_what_came_close_together_leaves_the_window_together_and_not_too_early() -> None:
    window = Window(2, 60)
    window.record(1, 0.0)
    window.record(1, 0.4)
    assert window.wait(0.4) == 60
    assert window.wait(60.3) == pytest.approx(0.1)
    assert window.wait(60.4) == 0


def test_one_that_is_over_by_far_waits_for_enough_to_leave() -> None:
    window = Window(100, 60)
    for second, amount in ((0, 50), (10, 30), (20, 500)):
        window.record(amount, second)
    assert window.wait(20) == 60
    assert window.wait(79) == 1
    assert window.wait(80) == 0


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), max_size=60))
def test_no_period_ever_holds_more_than_the_limit_and_the_last_one(
    steps: list[tuple[int, int]],
) -> None:
    limit, period, now = 10, 30.0, 0.0
    window, recorded = Window(limit, period), list[tuple[float, int]]()
    for pause, amount in steps:
        now += pause
        if window.wait(now) == 0:
            window.record(amount, now)
            recorded.append((now, amount))
            inside = [n for at, n in recorded if at > now - period]
            assert sum(inside[:-1]) < limit
    assert window.wait(now + period) == 0


def test_without_settings_there_is_no_limit() -> None:
    free = limits()
    for _ in range(1000):
        free.asked(0)
        free.answered(404, 0)
        free.received(1 << 40, 0)
    assert [free.wait(kind, 0) for kind in Kind] == [0, 0, 0, 0]


def test_requests_count_for_every_kind_and_bytes_for_blobs() -> None:
    some = limits(requests_per_minute=2, bytes="1KiB/2h")
    some.received(1023, 0)
    assert not some.spent(0)
    some.received(1, 0)
    assert (some.spent(0), some.spent(7199), some.spent(7200)) == (True, True, False)
    some.received(1024, 0)
    assert [some.wait(kind, 0) for kind in Kind] == [0, 0, 7200, 0]
    some.asked(0)
    some.asked(1)
    assert [some.wait(kind, 1) for kind in Kind] == [59, 59, 7199, 59]
    refusal = some.refusal(Kind.BLOB, 1)
    assert (refusal.asked, refusal.status, refusal.retry_after_s) == (False, None, 7199)
    assert "limit of 1024 bytes in 7200 s" in str(refusal)
    assert "2 requests in 60 s is reached; to be asked again in 59 s" in str(
        some.refusal(Kind.TAG, 1)
    )


def test_after_many_failures_only_digests_are_asked_for() -> None:
    wary = limits(failures="2/2d")
    for status in (200, 401, 404, 301):
        wary.answered(status, 0)
    assert wary.wait(Kind.TAG, 0) == 0
    wary.answered(503, 0)
    assert [wary.wait(kind, 0) > 0 for kind in Kind] == [True, False, False, True]
    assert "2 answers without content" in str(wary.refusal(Kind.LIST, 0))
