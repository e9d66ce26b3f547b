"""Content-Range of 206 and 416."""

from __future__ import annotations

import pytest

from entrepot.upstream.contentrange import ContentRange, parse_content_range, parse_unsatisfied

pytestmark = pytest.mark.rule("P12")


def test_a_part_is_read_half_open() -> None:
    assert parse_content_range("bytes 5-9/10") == ContentRange(5, 10, 10)
    assert parse_content_range(" BYTES 0-0/* ") == ContentRange(0, 1, None)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes */10",
        "bytes 5-9",
        "bytes 9-5/10",
        "bytes 5-10/10",
        "items 5-9/10",
        "bytes 5-9/10, 1",
        "bytes \u0665-9/10",
    ],
)
def test_what_cannot_be_is_no_range(header: str | None) -> None:
    assert parse_content_range(header) is None


def test_the_size_is_read_off_an_unsatisfied_range() -> None:
    assert parse_unsatisfied("bytes */0") == 0
    assert parse_unsatisfied("bytes */*") is None
    assert parse_unsatisfied("bytes 0-1/2") is None
    assert parse_unsatisfied(None) is None
