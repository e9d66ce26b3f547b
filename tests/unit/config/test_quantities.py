"""Sizes and durations as people write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from entrepot.config.quantities import PositiveSeconds, parse_duration, parse_size


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (0, 0),
        (4096, 4096),
        ("4096", 4096),
        ("100GiB", 100 * 1024**3),
        ("100 GiB", 100 * 1024**3),
        ("100gib", 100 * 1024**3),
        ("2G", 2 * 1024**3),
        ("2GB", 2 * 1000**3),
        ("1.5MiB", 1536 * 1024),
        ("64 kB", 64_000),
        ("9007199254740993B", 9007199254740993),
    ],
)
def test_size_is_read(written: object, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize(
    "written", [-1, True, 1.5, None, "", "GiB", "ten", "1XiB", "-1", "1 2", []]
)
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(written)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0.0),
        (90, 90.0),
        (0.5, 0.5),
        ("90", 90.0),
        ("250ms", 0.25),
        ("10m", 600.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("2d", 172800.0),
        ("1w", 604800.0),
        (" 5s ", 5.0),
        ("1.5h", 5400.0),
    ],
)
def test_duration_is_read(written: object, seconds: float) -> None:
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written",
    [-1, True, float("inf"), float("nan"), None, "", "m", "10 parsecs", "1h30", "x1s", "1s,2s", []],
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(written)


@given(st.text())
def test_any_text_is_read_or_refused_with_a_value_error(text: str) -> None:
    for parse in (parse_size, parse_duration):
        with contextlib.suppress(ValueError):
            assert parse(text) >= 0


def test_a_timeout_of_nothing_is_refused() -> None:
    adapter: TypeAdapter[float] = TypeAdapter(PositiveSeconds)
    assert adapter.validate_python("1ms") == pytest.approx(0.001)
    with pytest.raises(ValidationError, match="longer than nothing"):
        adapter.validate_python("0s")
