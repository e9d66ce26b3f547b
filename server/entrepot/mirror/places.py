"""Where the readers of one blob are, for whoever must not run away from them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Place:
    """One reader: everything before `offset` it has sent on; `moved` is loop time."""

    offset: int
    moved: float


@dataclass(slots=True)
class Places:
    """The readers that are there now. Lives on the loop."""

    _places: set[Place] = field(default_factory=set)
    _had_any: bool = False
    _stirred: asyncio.Event = field(default_factory=asyncio.Event)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(tuple(self._places))

    def __contains__(self, place: Place) -> bool:
        return place in self._places

    def enter(self, offset: int = 0) -> Place:
        """Take in a reader that begins at `offset`."""
        place = Place(offset, asyncio.get_running_loop().time())
        self._places.add(place)
        self._had_any = True
        self._stir()
        return place

    def move(self, place: Place, offset: int) -> None:
        """Note that a reader wants what is at `offset`."""
        if offset != place.offset:
            place.offset, place.moved = offset, asyncio.get_running_loop().time()
            self._stir()

    def leave(self, place: Place) -> None:
        """Let a reader go; nothing to do when it has gone."""
        if place in self._places:
            self._places.remove(place)
            self._stir()

    def lowest(self, default: int) -> int:
        """The offset of the slowest reader; `default` when there is none."""
        return min((place.offset for place in self._places), default=default)

    async def stirred(self, patience_s: float | None = None) -> None:
        """Return when a reader comes, moves or goes, or after `patience_s`."""
        try:
            async with asyncio.timeout(patience_s):
                await self._stirred.wait()
        except TimeoutError:
            return

    async def deserted(self, grace_s: float) -> None:
        """Return when the last reader has gone, or when none has come for `grace_s`."""
        if not self._had_any:
            await self.stirred(grace_s)
        while self._places:
            await self.stirred()

    def _stir(self) -> None:
        stirred, self._stirred = self._stirred, asyncio.Event()
        stirred.set()
