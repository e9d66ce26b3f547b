"""Numbers, times and tables as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from entrepot.cli.wording import about, ago_text, columns, count_text, size_text, trouble
from entrepot.errors import ArchiveInvalid

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (999 * 1024, "999.0 KiB"),
        (1000 * 1024, "1.0 MiB"),
        (3 * 1024**3, "3.0 GiB"),
        (5000 * 1024**4, "5000.0 TiB"),
    ],
)
def test_size_takes_the_unit_that_keeps_it_short(count: int, text: str) -> None:
    assert size_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (86399, "23 h ago"),
        (2 * 86400, "2 d ago"),
    ],
)
def test_age_is_rounded_down(seconds: int, text: str) -> None:
    then = NOW - timedelta(seconds=seconds)
    assert ago_text(then.isoformat(), NOW) == text


def test_age_is_the_same_in_another_time_zone() -> None:
    assert ago_text("2026-03-01T12:00:00+02:00", NOW) == "2 h ago"
    assert ago_text("2026-03-01T10:00:00Z", NOW) == "2 h ago"


def test_age_goes_by_the_clock_unless_told_and_none_is_never() -> None:
    assert ago_text(datetime.now(UTC).isoformat()) == "just now"
    assert ago_text(None) == "never"


def test_only_one_is_singular() -> None:
    assert [count_text(count, "blob") for count in (0, 1, 2)] == ["0 blobs", "1 blob", "2 blobs"]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = [("IMAGE", "SIZE"), ("registry/a", "1 B"), ("b", "")]
    assert list(columns(rows)) == ["IMAGE       SIZE", "registry/a  1 B", "b"]
    assert list(columns([])) == []


def test_rows_of_different_lengths_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        list(columns([("a", "b"), ("c",)]))


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("a:1: nobody answers", "a:1: nobody answers"),
        ("a:1 is not here", "a:1 is not here"),
        ("a:10 is not here", "a:1: a:10 is not here"),
        ("no answer", "a:1: no answer"),
    ],
)
def test_name_is_told_once(reason: str, text: str) -> None:
    assert about("a:1", reason) == text


def test_trouble_with_a_file_has_no_number_and_no_name() -> None:
    assert trouble(FileNotFoundError(2, "No such file or directory", "/x")) == (
        "no such file or directory"
    )
    assert trouble(UnicodeDecodeError("utf-8", b"x", 0, 1, "why")) == "is not UTF-8 text"
    assert trouble(OSError("odd")) == "odd"
    assert trouble(ArchiveInvalid("it is no tar")) == "it is no tar"
