"""What was measured, as values: a figure holds one row for each server and case."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Unit = Literal["requests/s", "s"]


@dataclass(frozen=True, slots=True)
class Row:
    """One server in one case: its rounds in the figure's unit, and what was seen beside them."""

    server: str
    case: str
    rounds: tuple[float, ...]
    beside: Mapping[str, float] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The figure itself."""
        return statistics.median(self.rounds)


@dataclass(frozen=True, slots=True)
class Figure:
    """One question and its answers."""

    name: str
    title: str
    unit: Unit
    rows: Sequence[Row]

    def times_faster(self, row: Row, peer: str) -> float | None:
        """How many times faster `row` is than `peer` in the same case; None without that row."""
        for other in self.rows:
            if (other.server, other.case) == (peer, row.case):
                ratio = row.median / other.median
                return ratio if self.unit == "requests/s" else 1 / ratio
        return None
