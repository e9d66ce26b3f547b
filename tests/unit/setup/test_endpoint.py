"""Addresses from outside: what is none never gets anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.setup.endpoint import Endpoint


@pytest.mark.parametrize(
    ("text", "url", "address"),
    [
        ("10.0.0.5:5000", "http://10.0.0.5:5000", "10.0.0.5:5000"),
        ("Mirror.LAN", "http://mirror.lan", "mirror.lan"),
        ("https://mirror.lan:443/", "https://mirror.lan", "mirror.lan"),
        ("http://mirror.lan:80", "http://mirror.lan", "mirror.lan"),
        ("[fd00::5]:5000", "http://[fd00::5]:5000", "[fd00::5]:5000"),
    ],
)
def test_what_is_read(text: str, url: str, address: str) -> None:
    """Never with a slash at the end, which containerd 1.3 takes for a path (S-1)."""
    found = Endpoint.parse(text)
    assert (found.url, found.address) == (url, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$(reboot)",
        "a;b",
        "a b",
        "a'b",
        'a"b',
        "a`b`",
        "a\nb",
        "10.0.0.5:5000\n",
        "a:0",
        "a:65536",
        "a:5000/path",
        "ftp://a",
        "user@a",
        "http://",
        "a..b",
        "-a",
        "a|b",
        "a&b",
        "[fd00::5",
        "٣.lan",
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not "):
        Endpoint.parse(text)


@given(st.text())
def test_nothing_that_a_shell_or_a_file_could_take_for_more_gets_through(text: str) -> None:
    try:
        url = Endpoint.parse(text).url
    except ValueError:
        return
    assert set(url) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-:[]/")


def test_what_else_it_tells() -> None:
    plain, local = Endpoint.parse("10.0.0.5:5000"), Endpoint.parse("https://localhost:5443")
    assert (plain.is_plain, plain.is_local) == (True, False)
    assert (local.is_plain, local.is_local) == (False, True)
    assert plain.with_port(5003).url == "http://10.0.0.5:5003"
    assert Endpoint.parse("a", "https").url == "https://a"
