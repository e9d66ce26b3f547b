"""Figures as tables for a reader and as JSON for a machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.result import Figure, Row
from benchmarks.servers import SERVERS

_PEERS = tuple(name for name in SERVERS if name != "entrepot")


@dataclass(frozen=True, slots=True)
class Column:
    """What stands beside the figure: its key in `Row.beside`, its heading, its notation."""

    key: str
    heading: str
    show: Callable[[float], str]


_BESIDE = (
    Column("fetched_times", "fetched from origin", lambda times: f"{times:.2f}x"),
    Column("first_byte_fastest_s", "first byte, fastest", lambda s: f"{s * 1000:,.0f} ms"),
    Column("first_byte_slowest_s", "first byte, slowest", lambda s: f"{s * 1000:,.0f} ms"),
    Column("cpu_us_per_request", "CPU a request", lambda us: f"{us:,.0f} µs"),
    Column("cpu_s", "CPU", lambda s: f"{s:.2f} s"),
    Column("peak_rss_bytes", "peak RSS", lambda size: f"{size / 2**20:,.0f} MiB"),
)


def _median(figure: Figure, row: Row) -> str:
    return f"{row.median:,.0f}" if figure.unit == "requests/s" else f"{row.median:.2f}"


def _spread(figure: Figure, row: Row) -> str:
    low, high = min(row.rounds), max(row.rounds)
    return f"{low:,.0f}-{high:,.0f}" if figure.unit == "requests/s" else f"{low:.2f}-{high:.2f}"


def _ratio(times: float | None) -> str:
    return "-" if times is None else f"{times:.2f}x"


def table(figure: Figure) -> str:
    """The figure as a Markdown table whose columns also line up on a terminal."""
    one_round = all(len(row.rounds) == 1 for row in figure.rows)
    columns = [c for c in _BESIDE if any(c.key in row.beside for row in figure.rows)]
    lines = [
        [
            "server",
            "case",
            *([figure.unit] if one_round else [f"median, {figure.unit}", "range"]),
            *(f"speed vs {peer}" for peer in _PEERS),
            *(column.heading for column in columns),
        ]
    ]
    for row in figure.rows:
        peers = [_ratio(figure.times_faster(row, peer)) for peer in _PEERS]
        beside = [c.show(row.beside[c.key]) if c.key in row.beside else "-" for c in columns]
        figures = [_median(figure, row), *([] if one_round else [_spread(figure, row)])]
        lines.append([row.server, row.case, *figures, *peers, *beside])
    return aligned(lines, words=2)


def aligned(lines: Sequence[Sequence[str]], *, words: int) -> str:
    """A Markdown table, the first line its head, that also lines up on a terminal.

    The first `words` columns stand to the left, figures to the right.
    """
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    ruler = ["-" * w if i < words else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join(
        "| "
        + " | ".join(
            cell.ljust(width) if i < words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in (lines[0], ruler, *lines[1:])
    )


def as_text(figures: Sequence[Figure]) -> str:
    """All tables, each under its title."""
    return "\n\n".join(f"### {figure.title}\n\n{table(figure)}" for figure in figures)


def as_json(machine: Mapping[str, str | int | float | bool], figures: Sequence[Figure]) -> str:
    """Everything that was measured, every round of it, and where."""
    document = {
        "machine": dict(machine),
        "figures": [
            {
                "name": figure.name,
                "title": figure.title,
                "unit": figure.unit,
                "rows": [_row(figure, row) for row in figure.rows],
            }
            for figure in figures
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _row(figure: Figure, row: Row) -> dict[str, object]:
    return {
        "server": row.server,
        "case": row.case,
        "median": round(row.median, 4),
        "rounds": [round(value, 4) for value in row.rounds],
        "times_faster_than": {
            peer: round(times, 3)
            for peer in _PEERS
            if (times := figure.times_faster(row, peer)) is not None
        },
        "beside": {key: round(value, 4) for key, value in row.beside.items()},
    }
