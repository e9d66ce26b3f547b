"""Following a Location by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from entrepot.upstream.redirects import next_hop, same_origin

HERE = URL("https://registry.example/v2/pause/blobs/sha256:00")

pytestmark = pytest.mark.rule("U-3")


@pytest.mark.parametrize(
    ("location", "target"),
    [
        (
            "https://cdn.example/sha256%3Aab?sig=a%2Fb%3D+c&x=%3a",
            "/sha256%3Aab?sig=a%2Fb%3D+c&x=%3a",
        ),
        ("//cdn.example/x%2Fy?s=%2B", "/x%2Fy?s=%2B"),
        ("/other%3Apath?a=b%26", "/other%3Apath?a=b%26"),
        ("sha256:11?a=%3A", "/v2/pause/blobs/sha256:11?a=%3A"),
        ("  https://cdn.example/a b\u00e9?x=\u4e2d#part", "/a%20b%C3%A9?x=%E4%B8%AD"),
    ],
)
def test_the_location_goes_out_byte_for_byte(location: str, target: str) -> None:
    if location.startswith("sha256:11"):
        location = "./" + location
    assert next_hop(HERE, location).raw_path_qs == target


def test_bytes_that_are_no_text_are_escaped_as_they_are() -> None:
    assert next_hop(HERE, "/caf\udce9").raw_path_qs == "/caf%E9"


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://cdn.example/x?sig=s3cret", "plain http"),
        ("ftp://cdn.example/x?sig=s3cret", "no web address"),
        ("https://user:s3cret@cdn.example/x", "credentials"),
        ("https://cdn.example:port/x?sig=s3cret", "no url"),
        ("https://[::1/x?sig=s3cret", "no url"),
        ("data:text/plain,s3cret", "no web address"),
    ],
)
def test_what_must_not_be_followed_is_refused_without_telling_the_query(
    location: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        next_hop(HERE, location)
    assert "s3cret" not in str(caught.value)


def test_plain_http_may_lead_to_plain_http_and_to_https() -> None:
    plain = URL("http://registry.lan/v2/")
    assert next_hop(plain, "http://cdn.lan/x").scheme == "http"
    assert next_hop(plain, "https://cdn.lan/x").scheme == "https"


@pytest.mark.rule("P26")
@pytest.mark.parametrize("host", ["127.0.0.1:5001", "localhost", "169.254.169.254", "[::1]"])
def test_no_mirror_sends_us_to_our_own_machine(host: str) -> None:
    with pytest.raises(ValueError, match="our own machine"):
        next_hop(URL("http://registry.example/v2/"), f"http://{host}/metrics")
    assert next_hop(URL("http://127.0.0.1:5000/v2/"), f"http://{host}/x").scheme == "http"


@given(st.text(max_size=80))
def test_any_location_is_a_sendable_url_or_a_value_error(location: str) -> None:
    try:
        url = next_hop(HERE, location)
    except ValueError:
        return
    assert url.raw_path_qs.isascii()
    assert not any(character.isspace() for character in url.raw_path_qs)


@pytest.mark.rule("P25")
def test_an_origin_is_scheme_host_and_port() -> None:
    assert same_origin(URL("https://a.example/x"), URL("https://A.example:443/y"))
    assert same_origin(URL("https://a.example/x"), URL("https://A.example/y", encoded=True))
    assert not same_origin(URL("https://a.example"), URL("https://a.example:444"))
    assert not same_origin(URL("https://a.example"), URL("http://a.example:443"))
    assert not same_origin(URL("https://a.example"), URL("https://b.a.example"))
