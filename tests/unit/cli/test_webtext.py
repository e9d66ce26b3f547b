"""Texts from the web: the file itself or an error that says why not."""

from __future__ import annotations

import io
import urllib.request
from contextlib import nullcontext
from http.client import HTTPMessage

import pytest

from entrepot.cli import webtext
from entrepot.cli.webtext import Unfetched, fetch_text, is_url
from unit.cli.weblet import weblet


def test_urls_are_told_from_paths() -> None:
    assert is_url("https://example.com/a.yaml")
    assert is_url("http://example.com/a.yaml")
    assert not is_url("images.yaml")
    assert not is_url("ftp://example.com/a")


def test_a_text_is_fetched() -> None:
    with weblet({"/a.yaml": "- name: é\n"}) as url:
        assert fetch_text(f"{url}/a.yaml") == "- name: é\n"


def test_what_is_missing_is_missing() -> None:
    with weblet({}) as url, pytest.raises(Unfetched, match="answered 404") as caught:
        fetch_text(f"{url}/a.yaml")
    assert caught.value.missing


def test_a_web_page_is_not_the_file() -> None:
    with (
        weblet({"/a.yaml": "<html>"}, content_type="text/html; charset=utf-8") as url,
        pytest.raises(Unfetched, match="web page"),
    ):
        fetch_text(f"{url}/a.yaml")


def test_too_long_a_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webtext, "LARGEST_BYTES", 3)
    with weblet({"/a": "four"}) as url, pytest.raises(Unfetched, match="more than"):
        fetch_text(f"{url}/a")


def test_nobody_there() -> None:
    with pytest.raises(Unfetched, match="refused") as caught:
        fetch_text("http://127.0.0.1:1/a")
    assert not caught.value.missing


def test_a_redirect_to_something_else_than_the_web_is_an_error() -> None:
    with weblet({}, moved="file:///etc/hostname") as url, pytest.raises(Unfetched):
        fetch_text(f"{url}/a")


@pytest.mark.parametrize(
    ("before", "after", "goes"),
    [
        ("https://a.test/x", "https://b.test/x", True),
        ("http://a.test/x", "https://a.test/x", True),
        ("http://a.test/x", "http://b.test/x", True),
        ("https://a.test/x", "http://a.test/x", False),
        ("http://a.test/x", "ftp://a.test/x", False),
    ],
)
def test_no_step_of_the_way_leaves_https(before: str, after: str, *, goes: bool) -> None:
    """Whoever is in between could lead on from there to an https of their own."""
    way = webtext.NoWayDown()
    request = urllib.request.Request(before)
    refused = nullcontext() if goes else pytest.raises(Unfetched, match="leads to")
    with refused:
        onward = way.redirect_request(request, io.BytesIO(), 302, "", HTTPMessage(), after)
        assert onward is not None
        assert onward.full_url == after
