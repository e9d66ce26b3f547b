"""Pages of tags."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from entrepot.upstream.listing import joined_referrers, next_page, read_tags

PAGE = URL("https://registry.example/v2/pause/tags/list?n=1000")

pytestmark = pytest.mark.rule("N-2")


def test_tags_are_read_in_order_and_others_left_out() -> None:
    assert read_tags(b'{"name": "pause", "tags": ["b", "a", 5, "not/a/tag"]}') == ("b", "a")


def test_null_is_an_empty_list() -> None:
    assert read_tags(b'{"name": "pause", "tags": null}') == ()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"name": "x"}', b'{"tags": "a"}', b"\xff"])
def test_anything_else_is_no_list(body: bytes) -> None:
    with pytest.raises(ValueError, match="a tags list"):
        read_tags(body)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ('</v2/pause/tags/list?last=a%2Fb&n=9>; rel="next"', "/v2/pause/tags/list?last=a%2Fb&n=9"),
        ("<https://registry.example/x>;rel=next", "/x"),
        ('<list?last=a>; title="x"; REL="Next"', "/v2/pause/tags/list?last=a"),
        ('</prev>; rel="prev", </next>; rel="next"', "/next"),
    ],
)
def test_the_next_page_is_found(link: str, target: str) -> None:
    page = next_page(link, PAGE)
    assert page is not None
    assert page.raw_path_qs == target


@pytest.mark.parametrize("link", [None, "", "garbage", '</x>; rel="prev"', "</x>"])
def test_without_a_next_link_it_is_the_end(link: str | None) -> None:
    assert next_page(link, PAGE) is None


@pytest.mark.rule("P25")
@pytest.mark.parametrize(
    "link", ['<https://evil.example/x>; rel="next"', '<http://registry.example/x>; rel="next"']
)
def test_pages_elsewhere_are_refused(link: str) -> None:
    with pytest.raises(ValueError, match=r"another host|plain http"):
        next_page(link, PAGE)


@given(st.text(max_size=100))
def test_any_link_is_a_page_here_or_a_value_error(link: str) -> None:
    try:
        page = next_page(link, PAGE)
    except ValueError:
        return
    assert page is None or page.host == PAGE.host


def test_one_page_of_referrers_stays_as_it_came() -> None:
    body = b'{ "manifests" : [1] , "annotations": {} }'
    assert joined_referrers([body]) == body


def test_pages_of_referrers_become_one_index() -> None:
    pages = [
        b'{"mediaType": "m", "manifests": [1, 2]}',
        b'{"manifests": []}',
        b'{"manifests": [3]}',
    ]
    assert json.loads(joined_referrers(pages)) == {"mediaType": "m", "manifests": [1, 2, 3]}


@pytest.mark.parametrize("page", [b"<html>", b"{}", b'{"manifests": {}}', b"[]"])
def test_a_page_that_is_no_index_spoils_all(page: bytes) -> None:
    with pytest.raises(ValueError, match="referrers"):
        joined_referrers([b'{"manifests": []}', page])
