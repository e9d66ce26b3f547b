"""Standing back: what nobody waits for now gives way to what somebody does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from entrepot.errors import TransferBroken
from entrepot.mirror.fill import Fill
from entrepot.mirror.fills import Fills

QUIET_S = 1.0
"""Between two layers of a pull there is a moment in which nothing is fetched."""
_LOOK_EVERY_S = 0.25


@dataclass(slots=True)
class Courtesy:
    """Knows which fills are nobody's. One that a client joins is the client's from then on.

    Lives on the loop, as fills do.
    """

    fills: Fills
    quiet_s: float = QUIET_S
    _own: list[Fill] = field(default_factory=list)
    _busy_at: float = float("-inf")

    @property
    def standing_back(self) -> bool:
        """Whether clients wait for mirrors now, or did a moment ago."""
        now = asyncio.get_running_loop().time()
        if any(fill.places or not self._is_own(fill) for fill in self.fills):
            self._busy_at = now
        return now - self._busy_at <= self.quiet_s

    async def turn(self) -> None:
        """Return when no client waits for mirrors."""
        while self.standing_back:
            await self.fills.changed(_LOOK_EVERY_S)

    async def watch(self, fill: Fill) -> bool:
        """Return at the end of a fill that nobody waits for; False when it was stopped.

        It is stopped when clients want something else; what it has brought is not lost. Cancelled,
        it is stopped as well.
        """
        self._own.append(fill)
        try:
            return await self._watched(fill)
        finally:
            self._own = [each for each in self._own if each is not fill]

    def _is_own(self, fill: Fill) -> bool:
        return any(each is fill for each in self._own)

    async def _watched(self, fill: Fill) -> bool:
        try:
            while not await self._ended(fill):
                if self.standing_back and not fill.places:
                    await self.fills.stop(fill, TransferBroken("others were first"))
                    return False
        except asyncio.CancelledError:
            await self.fills.stop(fill, TransferBroken("nobody wants it any more"))
            raise
        return True

    async def _ended(self, fill: Fill) -> bool:
        """Whether it has ended, or does so before the next look; one that only serves has too."""
        try:
            async with asyncio.timeout(_LOOK_EVERY_S):
                await fill.wait_ended()
        except TimeoutError:
            return fill.failed
        return True
