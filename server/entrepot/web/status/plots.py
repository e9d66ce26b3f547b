"""Plots as points of an SVG: arithmetic, no drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600.0, 120.0


@dataclass(frozen=True, slots=True)
class Plot:
    """Polylines, as points of an SVG, and the area below them as a path; `top` ends the scale."""

    lines: tuple[str, ...]
    area: str
    top: float


def plot(values: Sequence[float | None], *, most: int, top: float | None = None) -> Plot:
    """Plot the newest `most` values from left to right, the newest at the right edge.

    A value of None leaves a gap. Without `top` the scale ends at a round number.
    """
    shown = list(values)[-most:]
    known = [value for value in shown if value is not None]
    end = top if top is not None else round_up(max(known, default=0.0))
    step = WIDTH / max(most - 1, 1)
    first = most - len(shown)
    runs: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(shown):
        if value is None:
            runs.append([])
            continue
        share = min(max(value / end, 0.0), 1.0) if end else 0.0
        runs[-1].append(((first + place) * step, HEIGHT * (1 - share)))
    runs = [run for run in runs if run]
    return Plot(tuple(_points(run) for run in runs), _area(runs), end)


def round_up(value: float) -> float:
    """Give 1, 2 or 5 times a power of ten that is no less; 1 for nothing."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return float(next(one * power for one in (1, 2, 5, 10) if one * power >= value))


def round_up_bytes(value: float) -> float:
    """Do the same in KiB, MiB and so on."""
    unit = 1.0
    while value / unit > 500:
        unit *= 1024
    return round_up(value / unit) * unit


def _points(run: Sequence[tuple[float, float]]) -> str:
    # One alone would be a line of no length.
    all_of_it = [(run[0][0] - 2, run[0][1]), *run] if len(run) == 1 else run
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in all_of_it)


def _area(runs: Sequence[Sequence[tuple[float, float]]]) -> str:
    return " ".join(
        f"M{run[0][0]:.1f},{HEIGHT:.0f} "
        + " ".join(f"L{x:.1f},{y:.1f}" for x, y in run)
        + f" L{run[-1][0]:.1f},{HEIGHT:.0f} Z"
        for run in runs
    )
