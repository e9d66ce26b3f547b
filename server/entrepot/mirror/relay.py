"""Passing a blob on without keeping it: a fetch into a window, for as long as somebody reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from entrepot.errors import EntrepotError, TransferBroken
from entrepot.metrics import Metrics
from entrepot.mirror.budget import Budget
from entrepot.mirror.fetch import Fetch
from entrepot.mirror.window import Window

UNREAD_S = 10.0
"""A relay that nobody has come to read by then ends."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Relay:
    """One use of a window. `run` is its whole life.

    `share_bytes` of the `budget` are its own meanwhile; it waits `patience_s` for them.
    """

    window: Window
    fetch: Fetch
    budget: Budget
    share_bytes: int
    patience_s: float
    metrics: Metrics
    wrong: Callable[[], None] = lambda: None

    async def run(self) -> bool:
        """Bring everything, prove it and wait for the readers; False when the bytes were wrong.

        Readers of wrong bytes are cut, after `wrong` was called. Ends early when all have left.
        Raises Exhausted or StoreError; readers have heard of it then.
        """
        try:
            async with self.budget.share(self.share_bytes, self.patience_s):
                return await self._run()
        except EntrepotError as error:
            self.window.fail(error)
            raise
        except asyncio.CancelledError:
            self.window.fail(TransferBroken("it was stopped"))
            raise
        finally:
            self.window.close()

    async def _run(self) -> bool:
        window = self.window
        self.metrics.relay.running.inc()
        try:
            if not await self._bring():
                log.info("relay.deserted", digest=str(window.digest), at=window.front)
                return True
            if not window.prove():
                self.wrong()
                window.fail(TransferBroken("the bytes sent so far were wrong"))
                return False
            await window.places.deserted(UNREAD_S)
            return True
        finally:
            self.metrics.relay.running.dec()
            window.close()

    async def _bring(self) -> bool:
        """Whether all bytes have come; False when nobody wanted them any more."""
        loop = asyncio.get_running_loop()
        fetching = loop.create_task(self.fetch.run(), name="relay fetch")
        leaving = loop.create_task(self.window.places.deserted(UNREAD_S), name="relay readers")
        tasks: set[asyncio.Task[None]] = {fetching, leaving}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            failure = None if fetching.cancelled() else fetching.exception()
        if failure is not None:
            raise failure
        return not fetching.cancelled()
