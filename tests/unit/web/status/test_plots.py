"""Points of plots."""

from __future__ import annotations

import pytest

from entrepot.web.status.plots import plot, round_up, round_up_bytes


@pytest.mark.parametrize(
    ("value", "end"), [(0, 1), (0.3, 0.5), (1, 1), (1.1, 2), (30, 50), (7e6, 1e7)]
)
def test_scales_end_at_round_numbers(value: float, end: float) -> None:
    assert round_up(value) == pytest.approx(end)


@pytest.mark.parametrize(("value", "end"), [(0, 1), (400, 500), (600, 1024), (3 << 20, 5 << 20)])
def test_scales_of_bytes_end_at_round_numbers_too(value: float, end: float) -> None:
    assert round_up_bytes(value) == end


def test_the_newest_is_at_the_right_and_nothing_leaves_a_gap() -> None:
    drawn = plot([1.0, 0.5, None, 0.0], most=7, top=1.0)
    assert drawn.lines == ("300.0,0.0 400.0,60.0", "598.0,120.0 600.0,120.0")
    assert drawn.area.count("Z") == 2


def test_only_the_newest_are_shown_and_none_is_outside() -> None:
    drawn = plot([0.1] * 100 + [5.0, -1.0], most=2, top=1.0)
    assert drawn.lines == ("0.0,0.0 600.0,120.0",)


def test_nothing_is_an_empty_plot() -> None:
    assert plot([], most=5).lines == ()
    assert plot([], most=5).area == ""
