"""Statuses other than success, in our words."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import (
    AttemptError,
    MirrorDenied,
    MirrorFailed,
    MirrorNotFound,
    MirrorThrottled,
)
from entrepot.upstream.refusal import read_reason, refusal

NOW = dt.datetime(2026, 8, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, MirrorNotFound),
        (410, MirrorNotFound),
        (401, MirrorDenied),
        (403, MirrorDenied),
        (429, MirrorThrottled),
        (400, MirrorFailed),
        (304, MirrorFailed),
        (500, MirrorFailed),
        (503, MirrorFailed),
        (451, MirrorFailed),
    ],
)
@pytest.mark.rule("E-2", "F-9", "P15")
def test_each_status_has_its_error(status: int, kind: type[AttemptError]) -> None:
    error = refusal(status, {}, "", NOW)
    assert type(error) is kind
    assert error.status == status
    assert str(error) == f"answered {status}"


def test_the_host_and_the_reason_are_told() -> None:
    error = refusal(403, {}, "DENIED: no", NOW, who="cdn.example")
    assert str(error) == "cdn.example answered 403 (DENIED: no)"


def test_a_throttle_carries_its_wait() -> None:
    error = refusal(429, {"Retry-After": "12"}, "", NOW)
    assert isinstance(error, MirrorThrottled)
    assert error.retry_after_s == 12


@pytest.mark.rule("N-4")
def test_the_reason_is_the_first_error_of_the_body() -> None:
    body = b'{"errors": [{"code": "DENIED", "message": "not\\nyou"}, {"code": "OTHER"}]}'
    assert read_reason(body, ()) == "DENIED: not you"
    assert read_reason(b'{"errors": [{"code": "DENIED"}]}', ()) == "DENIED"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"errors": []}', b'{"errors": [5]}', b'{"errors": 5}']
)
def test_other_bodies_give_no_reason(body: bytes) -> None:
    assert read_reason(body, ()) == ""


def test_a_reason_is_short_and_repeats_no_secret() -> None:
    body = json.dumps({"errors": [{"code": "X", "message": "y" * 1000}]}).encode()
    assert len(read_reason(body, ("",))) == 200
    echo = json.dumps({"errors": [{"code": "X", "message": "bad password hunter2!"}]}).encode()
    assert read_reason(echo, ("hunter2",)) == ""


@given(st.binary(max_size=200))
def test_nothing_is_raised_whatever_comes(body: bytes) -> None:
    assert read_reason(body, ("x",)).isprintable()
