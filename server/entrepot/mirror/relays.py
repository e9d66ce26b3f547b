"""The relays in progress, and the memory and threads that they share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from entrepot.errors import Attempt, EntrepotError, TransferBroken
from entrepot.metrics import Metrics
from entrepot.mirror.budget import Budget
from entrepot.mirror.destination import Destination
from entrepot.mirror.fetch import Fetch
from entrepot.mirror.places import Places
from entrepot.mirror.rejection import reject
from entrepot.mirror.relay import Relay
from entrepot.mirror.setaside import SetAside
from entrepot.mirror.wanted import FillRules, Wanted
from entrepot.mirror.window import LEFT_BEHIND_S, WINDOW_BYTES, Checkpoint, Window
from entrepot.store.threads import DiskThreads
from entrepot.tasks import TaskOwner
from entrepot.upstream.mirror import MirrorClient

TOTAL_BYTES = 128 << 20
"""All relays together use no more memory than this."""
PART_WINDOW_BYTES = 2 << 20
"""For a reader of a part, who may want little of it."""
LONGEST_WAIT_S = 60.0
"""For memory, while clients wait for the rest of a blob."""
_PIECE_BYTES = 1 << 20
_THREADS = 2

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Relays:
    """Makes relays; those that belong to one reader run here, and `aclose` stops them.

    `window_bytes` is how far apart readers of one may be, `patience_s` how long one may stand still
    while others wait for it.
    """

    rules: FillRules
    set_aside: SetAside
    metrics: Metrics
    window_bytes: int = WINDOW_BYTES
    patience_s: float = LEFT_BEHIND_S
    budget: Budget = field(default_factory=lambda: Budget(TOTAL_BYTES))
    threads: DiskThreads = field(default_factory=lambda: DiskThreads("entrepot-relay", _THREADS))
    _owner: TaskOwner = field(default_factory=lambda: TaskOwner("relays"))
    _alone: dict[asyncio.Task[None], Wanted] = field(default_factory=dict)

    def fetch(
        self,
        wanted: Wanted,
        destination: Destination,
        progressed: Callable[[], None],
        attempts: list[Attempt],
    ) -> Fetch:
        """A fetch that has not begun, into a file or a window; see `Fetch`."""
        return Fetch(
            wanted=wanted,
            partial=destination,
            rules=self.rules,
            set_aside=self.set_aside,
            metrics=self.metrics,
            progressed=progressed,
            attempts=attempts,
        )

    async def interrupt(self) -> None:
        """Stop the relays in progress; others may follow."""
        await self._owner.cancel()

    def over(self, fetch: Fetch, window: Window, wrong: Callable[[], None]) -> Relay:
        """Let `fetch` go on in `window`; the caller runs it."""
        fetch.partial, fetch.in_order = window, True
        share = window.most_bytes + _PIECE_BYTES
        if window.size is not None:
            share = min(share, window.size - window.base.at)
        # Clients that have got no head yet will not wait for it any longer.
        patience_s = LONGEST_WAIT_S if fetch.answered else self.rules.headers_s * 0.75
        return Relay(window, fetch, self.budget, share, patience_s, self.metrics, wrong)

    def window(
        self,
        wanted: Wanted,
        base: Checkpoint,
        places: Places,
        *,
        size: int | None,
        agrees_with: Checkpoint | None = None,
    ) -> Window:
        """The memory for a relay; see `Window`."""
        passed_on = self.metrics.relay.bytes.labels(wanted.registry.name)
        return Window(
            wanted.digest,
            base,
            places,
            self.threads,
            size=size,
            most_bytes=PART_WINDOW_BYTES if base.hasher is None else self.window_bytes,
            patience_s=self.patience_s,
            agrees_with=agrees_with,
            passed_on=passed_on.inc,
        )

    def alone(self, wanted: Wanted, base: Checkpoint, places: Places, size: int | None) -> Relay:
        """One for a reader of its own, which ends when that has left. TransferBroken."""
        window = self.window(wanted, base, places, size=size)
        fetch = self.fetch(wanted, window, lambda: None, [])
        fetch.answered = True
        relay = self.over(fetch, window, lambda: self._wrong(fetch, base))
        try:
            task = self._owner.start(self._run(relay), name=str(wanted.digest))
        except RuntimeError as error:
            window.close()
            raise TransferBroken("the server is stopping") from error
        self._alone[task] = wanted
        task.add_done_callback(self._alone.pop)
        log.info(
            "relay.alone", digest=str(wanted.digest), at=base.at, proves=base.hasher is not None
        )
        return relay

    async def released(self, mirrors: frozenset[MirrorClient]) -> None:
        """Return when no relay of one reader may ask any of `mirrors`."""
        while using := [
            task
            for task, wanted in self._alone.items()
            if not mirrors.isdisjoint(wanted.registry.mirrors)
        ]:
            await asyncio.wait(using)

    async def aclose(self) -> None:
        """Stop them and wait until all memory is given back; safe to call twice."""
        await self._owner.aclose()
        await self.threads.aclose()

    async def _run(self, relay: Relay) -> None:
        try:
            _ = await relay.run()
        except EntrepotError as error:
            log.warning("relay.failed", digest=str(relay.window.digest), reason=str(error))

    def _wrong(self, fetch: Fetch, base: Checkpoint) -> None:
        """Doubt who sent wrong bytes; with bytes from elsewhere before them nobody is accused."""
        reject(fetch, fetch.contributions.mirrors if base.at == 0 else ())
