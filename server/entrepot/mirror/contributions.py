"""Who sent which bytes of a blob."""

from __future__ import annotations

from dataclasses import dataclass, field

from entrepot.store.rangeset import Interval


@dataclass(slots=True)
class Contributions:
    """Intervals of a blob by the mirror they came from, in the order of arrival."""

    _parts: list[tuple[int, int, str]] = field(default_factory=list)

    @property
    def mirrors(self) -> frozenset[str]:
        """Everybody who sent something that is still there."""
        return frozenset(mirror for _, _, mirror in self._parts)

    def add(self, start: int, stop: int, mirror: str) -> None:
        """Note that [start, stop) came from `mirror`; pieces that follow one another are one.

        With nothing in between: it said that the blob ends there.
        """
        last = self._parts[-1] if self._parts else None
        if last is not None and last[1:] == (start, mirror):
            self._parts[-1] = (last[0], stop, mirror)
        else:
            self._parts.append((start, stop, mirror))

    def of(self, mirror: str) -> list[Interval]:
        """What came from `mirror`; never empty intervals."""
        return [(start, stop) for start, stop, by in self._parts if by == mirror and start < stop]

    def replace(self, mirror: str, other: str) -> None:
        """Note that everything from `mirror` has been replaced by what `other` sent."""
        self._parts = [
            (start, stop, other if by == mirror else by) for start, stop, by in self._parts
        ]

    def clear(self) -> None:
        """Forget everything: the bytes were thrown away."""
        self._parts.clear()
