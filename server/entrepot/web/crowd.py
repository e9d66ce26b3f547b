"""How many clients are connected, and whether one more may be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

FULL = "too_many_connections"
ADDRESS_FULL = "too_many_from_one_address"

_DOORSTEP = 64
"""So many more are told why they cannot come in; those after them are cut off without a word."""


@dataclass(slots=True)
class Crowd:
    """The connections of all listeners together; nothing here waits."""

    most: int
    most_per_address: int | None
    _present: Counter[str] = field(default_factory=Counter)
    _count: int = 0
    _on_the_doorstep: int = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, address: str) -> str | None:
        """Count a connection in, or tell the reason why not."""
        if self._count >= self.most:
            return FULL
        here = self._present.get(address, 0)
        if self.most_per_address is not None and here >= self.most_per_address:
            return ADDRESS_FULL
        self._count += 1
        self._present[address] += 1
        return None

    def leave(self, address: str) -> None:
        """Count out a connection that had entered."""
        self._count -= 1
        self._present[address] -= 1
        if not self._present[address]:
            del self._present[address]

    def stop_outside(self) -> bool:
        """Whether there is room to tell one that was refused why; `go_away` gives it back."""
        if self._on_the_doorstep >= _DOORSTEP:
            return False
        self._on_the_doorstep += 1
        return True

    def go_away(self) -> None:
        """Give back what `stop_outside` took."""
        self._on_the_doorstep -= 1
