"""The head of an answer to a blob GET."""

from __future__ import annotations

import pytest

from entrepot.errors import MirrorFailed, MirrorLied
from entrepot.upstream.blobanswer import (
    MOST_DISCARDED_BYTES,
    BlobAnswer,
    judge_blob,
    parse_length,
)

pytestmark = pytest.mark.rule("P12")


def part(first: int, last: int, size: object) -> dict[str, str]:
    return {
        "Content-Range": f"bytes {first}-{last}/{size}",
        "Content-Length": f"{last - first + 1}",
    }


def test_a_whole_blob_has_the_size_of_its_length() -> None:
    judged = judge_blob(200, {"Content-Length": "10"}, start=0, expected_size=10)
    assert judged == BlobAnswer(10, stop=10)


@pytest.mark.rule("Q-1")
def test_without_a_length_the_size_is_what_is_expected() -> None:
    assert judge_blob(200, {}, start=0, expected_size=None) == BlobAnswer(None)
    assert judge_blob(200, {}, start=0, expected_size=7) == BlobAnswer(7, stop=7)
    assert judge_blob(206, part(3, 6, "*"), start=3, expected_size=7) == BlobAnswer(7, stop=7)


def test_the_rest_is_taken_from_where_it_was_asked() -> None:
    assert judge_blob(206, part(3, 6, 7), start=3, expected_size=7) == BlobAnswer(7, stop=7)
    assert judge_blob(206, part(3, 4, 7), start=3, expected_size=None) == BlobAnswer(7, stop=5)


def test_an_ignored_range_is_skipped_up_to_a_limit() -> None:
    start = MOST_DISCARDED_BYTES
    assert judge_blob(200, {}, start=start, expected_size=None) == BlobAnswer(None, skip=start)
    with pytest.raises(MirrorFailed, match="ignores ranges"):
        judge_blob(200, {}, start=start + 1, expected_size=None)


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (200, {"Content-Type": "text/HTML; charset=x"}, "block page"),
        (206, {"Content-Type": "text/html", **part(3, 6, 7)}, "block page"),
        (200, {"Content-Encoding": "gzip"}, "coding"),
        (200, {"Content-Length": "8"}, "8 bytes there instead of 7"),
        (206, part(3, 6, 8), "8 bytes there instead of 7"),
        (206, part(4, 6, 7), "from 4 on, asked from 3"),
        (206, {}, "without a Content-Range"),
        (206, {**part(3, 6, 7), "Content-Length": "5"}, "length that is not"),
        (416, {}, "ends before byte 3"),
    ],
)
def test_what_cannot_be_true_is_a_lie(status: int, headers: dict[str, str], reason: str) -> None:
    with pytest.raises(MirrorLied, match=reason):
        judge_blob(status, headers, start=3, expected_size=7)


def test_a_blob_shorter_than_what_is_here_is_a_lie() -> None:
    with pytest.raises(MirrorLied, match="more than that"):
        judge_blob(200, {"Content-Length": "2"}, start=3, expected_size=None)


@pytest.mark.parametrize(
    ("header", "length"),
    [
        ("0", 0),
        (" 12 ", 12),
        (None, None),
        ("", None),
        ("-1", None),
        ("1e3", None),
        ("\u0663", None),
    ],
)
def test_lengths_are_digits_or_nothing(header: str | None, length: int | None) -> None:
    assert parse_length(header) == length
