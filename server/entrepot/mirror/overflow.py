"""What of a blob the disk does not take, because it is full or failing: it goes through memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from entrepot.errors import StoreError
from entrepot.mirror.fetch import Fetch
from entrepot.mirror.places import Places
from entrepot.mirror.relays import Relays
from entrepot.mirror.wanted import Wanted
from entrepot.mirror.window import Checkpoint, Window
from entrepot.store.partial import Partial

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Overflow:
    """The rest of one fill, in order, for the readers in `places`; nothing of it is kept.

    `partial` is what there is on the disk, unless it is wrong. `begun` is told of each window and
    gives the fetch that is to go on in it; `wrong` is called when the bytes were wrong, before
    everything is brought again.
    """

    wanted: Wanted
    relays: Relays
    places: Places
    partial: Partial | None
    begun: Callable[[Window], Fetch]
    wrong: Callable[[], None]

    async def run(self, size: int | None, cause: StoreError) -> None:
        """Return when every reader has everything, or has left. Raises Exhausted or StoreError."""
        base, lost = await self._base()
        log.warning(
            "fill.relays",
            digest=str(self.wanted.digest),
            registry=self.wanted.registry.name,
            repository=self.wanted.repository,
            at=base.at,
            of=size,
            reason=str(cause),
        )
        while not await self._relay(base, lost, size):
            base, lost, size = self._beginning(), None, self.wanted.expected_size

    async def _base(self) -> tuple[Checkpoint, Checkpoint | None]:
        """Where to go on, and up to where it must be the same as what readers got already."""
        if self.partial is None:
            return self._beginning(), None
        with contextlib.suppress(StoreError):  # then the hash stays where it is
            await self.partial.catch_up()
        reached = Checkpoint(*await self.partial.hashed())
        return (self._beginning(), reached) if self.partial.lost else (reached, None)

    def _beginning(self) -> Checkpoint:
        return Checkpoint(0, self.wanted.digest.hasher())

    async def _relay(self, base: Checkpoint, lost: Checkpoint | None, size: int | None) -> bool:
        window = self.relays.window(self.wanted, base, self.places, size=size, agrees_with=lost)
        relay = self.relays.over(self.begun(window), window, self.wrong)
        return await relay.run()


async def discard(partial: Partial) -> None:
    """Remove a download from the disk; one that cannot be removed is left to the sweep."""
    try:
        await partial.discard()
    except StoreError as error:
        log.warning("partial.not_removed", digest=str(partial.digest), reason=str(error))
