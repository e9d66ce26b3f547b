"""Who has shown the token, and which forms are ours."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from entrepot.web.status.sessions import COOKIE, Sessions, comes_from_here, is_form_of


def request(**headers: str) -> web.Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("POST", "/", headers={"Host": "localhost:5001", **named})


async def test_a_session_is_the_cookie_that_was_given() -> None:
    sessions, response = Sessions(), web.Response()
    sessions.begin(response)
    cookie = response.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    own = request(Cookie=f"{COOKIE}={cookie.value}")
    session = sessions.of(own)
    assert session is not None
    assert is_form_of(session, session.form)
    assert not is_form_of(session, "another")
    assert not is_form_of(session, None)
    assert sessions.of(request()) is None
    assert sessions.of(request(Cookie=f"{COOKIE}=made-up")) is None
    sessions.end(own, web.Response())
    assert sessions.of(own) is None


async def test_it_does_not_last_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrepot.web.status.sessions.LASTS_S", -1.0)
    sessions, response = Sessions(), web.Response()
    sessions.begin(response)
    assert sessions.of(request(Cookie=f"{COOKIE}={response.cookies[COOKIE].value}")) is None


async def test_only_so_many_are_open() -> None:
    sessions, first = Sessions(), web.Response()
    sessions.begin(first)
    for _ in range(64):
        sessions.begin(web.Response())
    assert sessions.of(request(Cookie=f"{COOKIE}={first.cookies[COOKIE].value}")) is None


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"Origin": "http://localhost:5001", "Sec_Fetch_Site": "same-origin"}, True),
        ({"Origin": "http://localhost:5000"}, False),
        ({"Origin": "null"}, False),
        ({"Sec_Fetch_Site": "cross-site"}, False),
        ({"Sec_Fetch_Site": "same-site"}, False),
    ],
)
def test_other_sites_forms_are_told_apart(headers: dict[str, str], ours: bool) -> None:
    assert comes_from_here(request(**headers)) is ours
