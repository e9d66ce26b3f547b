"""Where questions wait for their turn: one gate for all that is asked of one host."""

from __future__ import annotations

import asyncio

from yarl import URL

from entrepot.config import LimitSettings
from entrepot.upstream.limits import Kind, Limits, own_limit
from entrepot.upstream.pacing import Pace

PATIENCE_S = 2.0
"""A question that cannot be sent within this time is for the next mirror."""
BUSY_S = 1.0
"""When to come back while all places are taken: nobody knows, transfers end when they end."""


class Gate:
    """The limits of one mirror at work. `limits` and `pace` also want to hear of what passes.

    A quarter of the places, and one at least where there are two, is kept from blobs, so that a
    long transfer never holds up a manifest.
    """

    def __init__(self, settings: LimitSettings) -> None:
        self.limits = Limits(settings)
        self.pace = Pace(settings.bandwidth)
        self._concurrency = settings.concurrency
        self._places = asyncio.Semaphore(settings.concurrency)
        kept = max(1, settings.concurrency // 4)
        self._streams = asyncio.Semaphore(max(1, settings.concurrency - kept))

    async def enter(self, kind: Kind, *, stream: bool = False) -> Slot:
        """Wait for a turn, and count the request; the slot is to be released when it is over.

        MirrorThrottled when that would take longer than `PATIENCE_S`. `stream`: the body is a blob.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_S
        slot = Slot()
        try:
            for places in (self._streams, self._places) if stream else (self._places,):
                await self._take(places, until)
                slot.taken.append(places)
            await self._turn(kind, until)
        except BaseException:
            slot.release()
            raise
        self.limits.asked(loop.time())
        return slot

    def ready_in(self, kind: Kind, now: float) -> float:
        """Tell the seconds until a question may be sent, as far as can be told; 0 for now."""
        busy = self._places.locked() or (kind is Kind.BLOB and self._streams.locked())
        return max(BUSY_S if busy else 0.0, self.limits.wait(kind, now))

    async def _turn(self, kind: Kind, until: float) -> None:
        loop = asyncio.get_running_loop()
        while wait_s := self.limits.wait(kind, loop.time()):
            if loop.time() + wait_s > until:
                raise self.limits.refusal(kind, loop.time())
            await asyncio.sleep(wait_s)

    async def _take(self, places: asyncio.Semaphore, until: float) -> None:
        try:
            async with asyncio.timeout_at(until):
                await places.acquire()
        except TimeoutError:
            raise own_limit(
                f"our own limit of {self._concurrency} requests at a time is reached", BUSY_S
            ) from None


class Slot:
    """A place at a gate."""

    def __init__(self) -> None:
        self.taken: list[asyncio.Semaphore] = []

    def handed_on(self) -> Slot:
        """Give the place to somebody who stays longer; this one is none any more."""
        other = Slot()
        other.taken, self.taken = self.taken, []
        return other

    def release(self) -> None:
        """Make room for the next; without effect the second time."""
        while self.taken:
            self.taken.pop().release()


class Gates:
    """Gates by host: mirrors of several registries on one host share what its owner allows."""

    def __init__(self) -> None:
        self._gates: dict[tuple[URL, LimitSettings], Gate] = {}

    def of(self, url: str, settings: LimitSettings) -> Gate:
        """Tell the gate for a mirror; the same one for the same host and limits."""
        key = (URL(url).origin(), settings)
        return self._gates.setdefault(key, Gate(settings))
