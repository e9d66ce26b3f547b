"""Docker Hub's rate limit headers."""

from __future__ import annotations

import pytest

from entrepot.upstream.quota import Quota, parse_quota

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
