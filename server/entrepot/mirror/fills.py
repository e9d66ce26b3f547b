"""The fills in progress: at most one per digest that newcomers can join."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from entrepot.errors import EntrepotError
from entrepot.metrics import Metrics
from entrepot.mirror.fill import Fill
from entrepot.mirror.relays import Relays
from entrepot.mirror.room import Room
from entrepot.mirror.setaside import SetAside
from entrepot.mirror.wanted import FillRules, Wanted
from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore
from entrepot.tasks import TaskOwner
from entrepot.upstream.mirror import MirrorClient

PLACED_WITHIN_S = 10.0
"""A stop waits so long for what is whole and proved to be put in place and entered."""


@dataclass(slots=True)
class Fills:
    """Starts fills and owns their tasks; `aclose` stops them, their partial files stay on disk."""

    store: BlobStore
    room: Room
    metrics: Metrics
    rules: FillRules
    set_aside: SetAside = field(default_factory=SetAside)
    relays: Relays = field(init=False)
    _running: dict[Digest, Fill] = field(default_factory=dict)
    _alive: dict[Fill, float] = field(default_factory=dict)
    _tasks: dict[Digest, asyncio.Task[None]] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _owner: TaskOwner = field(default_factory=lambda: TaskOwner("fills"))

    def __post_init__(self) -> None:
        self.relays = Relays(self.rules, self.set_aside, self.metrics)
        self.metrics.fill.readers.set_function(lambda: sum(len(fill.places) for fill in self))

    def __iter__(self) -> Iterator[Fill]:
        """Every fill that has not ended, those that nobody can join any more among them."""
        return iter(tuple(self._alive))

    def __len__(self) -> int:
        return len(self._running)

    async def changed(self, patience_s: float) -> None:
        """Return when a fill begins or ends, or after `patience_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._news.wait()

    async def stop(self, fill: Fill, error: EntrepotError) -> None:
        """Stop one fill, unless somebody reads it; what it has brought stays on the disk."""
        digest = fill.wanted.digest
        if self._running.get(digest) is fill and not fill.places:
            fill.interrupt(error)
            task = self._tasks[digest]
            task.cancel()
            await asyncio.wait([task])

    def get(self, digest: Digest) -> Fill | None:
        """The fill in progress for `digest` that a newcomer can join."""
        fill = self._running.get(digest)
        return None if fill is None or fill.gone else fill

    def join(self, wanted: Wanted) -> tuple[Fill, bool]:
        """The fill for `wanted` and whether it was started by this call.

        There is no await between looking and inserting: two callers never start two.
        """
        fill = self.get(wanted.digest)
        if fill is not None:
            return fill, False
        fill = Fill(wanted, self.store, self.room, self.metrics, self.relays)
        self._running[wanted.digest] = fill
        task = self._owner.start(fill.run(), name=str(wanted.digest))
        self._alive[fill] = asyncio.get_running_loop().time()
        self._tasks[wanted.digest] = task
        self._tell()
        task.add_done_callback(lambda _: self._ended(fill))
        return fill, True

    def age_s(self, fill: Fill) -> float:
        """Tell how long ago one that has not ended was begun."""
        return asyncio.get_running_loop().time() - self._alive[fill]

    async def released(self, mirrors: frozenset[MirrorClient]) -> None:
        """Return when no download in progress may ask any of `mirrors`."""
        while using := [f for f in self if not mirrors.isdisjoint(f.wanted.registry.mirrors)]:
            await using[0].wait_ended()
        await self.relays.released(mirrors)

    def follow(self, rules: FillRules) -> None:
        """Begin new downloads by other rules."""
        self.rules = self.relays.rules = rules

    async def settled(self) -> None:
        """Wait until the fills in progress now have ended, each in its own way."""
        await self._owner.settled()

    async def interrupt(self, error: EntrepotError) -> None:
        """Stop the fills in progress, whose readers hear `error`; new ones may begin.

        On return they have let go of their files, which wait for whoever goes on with them.
        """
        for fill in self._running.values():
            fill.interrupt(error)
        await self._owner.cancel()
        await self.relays.interrupt()

    async def aclose(self) -> None:
        """Stop every fill and wait until it has let go of its files.

        Clients have had all of some blobs already, which only have to be put in place: those are
        waited for. The next process would have to ask a mirror again.
        """
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PLACED_WITHIN_S):
                    for fill in [fill for fill in self._running.values() if fill.proved]:
                        await fill.wait_ended()
        finally:
            await self._owner.aclose()
            await self.relays.aclose()

    def _ended(self, fill: Fill) -> None:
        """End of the task, even of one cancelled before it ran a single step."""
        began = self._alive.pop(fill)
        outcome = _outcome(fill)
        self.metrics.fill.ended.labels(fill.wanted.registry.name, outcome).inc()
        self.metrics.fill.seconds.labels(outcome).observe(asyncio.get_running_loop().time() - began)
        if self._running.get(fill.wanted.digest) is fill:
            del self._running[fill.wanted.digest], self._tasks[fill.wanted.digest]
        fill.abandon()
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _outcome(fill: Fill) -> str:
    """Name how it ended: `whole` also when it was proved and then not kept."""
    if fill.window is not None:
        return "relayed" if fill.window.proved else "failed"
    return "whole" if fill.size is not None and fill.ready(0, whole=True) == fill.size else "failed"
