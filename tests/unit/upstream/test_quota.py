"""Docker Hub's rate limit headers."""

from __future__ import annotations

import datetime as dt

import pytest

from entrepot.upstream.quota import Quota, QuotaWatch, parse_quota

pytestmark = pytest.mark.rule("U-9")


def test_limit_remaining_and_window_are_read() -> None:
    headers = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "98;w=21600"}
    assert parse_quota(headers) == Quota(100, 98, 21600)


def test_a_missing_window_is_zero_and_spaces_do_not_matter() -> None:
    headers = {"ratelimit-limit": " 100 ", "ratelimit-remaining": "0"}
    assert parse_quota(headers) == Quota(100, 0, 0)
    headers["ratelimit-remaining"] = "5 ; W = 60"
    assert parse_quota(headers) == Quota(100, 5, 60)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ratelimit-limit": "100;w=21600"},
        {"ratelimit-remaining": "100;w=21600"},
        {"ratelimit-limit": "many", "ratelimit-remaining": "some"},
    ],
)
def test_anything_less_is_no_quota(headers: dict[str, str]) -> None:
    assert parse_quota(headers) is None


def quota(remaining: int, limit: int = 100, window_s: int = 21600) -> Quota:
    return Quota(limit, remaining, window_s)


@pytest.mark.rule("U-9")
def test_the_last_pull_is_not_spent() -> None:
    watch = QuotaWatch()
    assert watch.wait(0) == 0
    watch.see(quota(2), 0)
    assert watch.wait(0) == 0
    watch.see(quota(1), 10)
    assert watch.wait(10) == 21600
    watch.see(quota(1), 500)  # HEADs go on telling
    assert watch.wait(500) == 21600 - 490
    watch.see(quota(50), 600)
    assert watch.wait(600) == 0


@pytest.mark.rule("U-9")
def test_after_the_window_one_more_is_tried() -> None:
    watch = QuotaWatch()
    watch.see(quota(0, window_s=0), 0)
    assert watch.wait(0) == 6 * 3600
    assert watch.wait(6 * 3600) == 0
    watch.see(quota(0), 6 * 3600)
    assert watch.wait(6 * 3600) == 21600


@pytest.mark.rule("U-9")
def test_the_refusal_says_how_much_is_left_and_until_when() -> None:
    watch = QuotaWatch()
    watch.see(quota(1, window_s=3600), 0)
    refusal = watch.refusal(600, dt.datetime(2026, 11, 23, 9, 15, tzinfo=dt.UTC))
    told = "1 of 100 pulls left there; the window ends about 2026-11-23 10:05 UTC"
    assert (str(refusal), refusal.retry_after_s, refusal.asked) == (told, 3000, False)


def test_a_mirror_that_grants_one_at_most_is_taken_at_its_word() -> None:
    watch = QuotaWatch()
    watch.see(quota(1, limit=1), 0)
    assert watch.wait(0) == 0
