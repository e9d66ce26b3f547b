"""One download in progress, many readers.

A fill belongs to nobody's request. `entrepot.mirror.fetch` brings the bytes into a partial file,
in any order; the fill tells readers how far they may read and proves the whole. The last
`HELD_BACK_BYTES` are not given away before that, so that nobody ever completes a corrupt blob
(T-9).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import BinaryIO

import structlog

from entrepot.errors import (
    AllFailed,
    Attempt,
    EntrepotError,
    Exhausted,
    MirrorLied,
    NoRoom,
    TransferBroken,
)
from entrepot.metrics import Metrics
from entrepot.mirror.fetch import Fetch
from entrepot.mirror.liar import find_liar
from entrepot.mirror.room import Room
from entrepot.mirror.setaside import SetAside
from entrepot.mirror.wanted import FillRules, Wanted
from entrepot.store.blobs import BlobStore
from entrepot.store.partial import Partial

HELD_BACK_BYTES = 256 * 1024
"""Withheld from every reader until the digest verifies; blobs below it are never half-served."""

_TELL_BYTES = 2 * 1024 * 1024
_TELL_AFTER_S = 0.025

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Fill:
    """The download of one digest; `run` is its whole life, the rest is for its readers.

    `size` is None until a mirror has answered, and stays None while no mirror and no manifest says
    it (Q-1). `generation` counts how often the bytes turned out wrong and were thrown away.
    """

    wanted: Wanted
    rules: FillRules
    store: BlobStore
    room: Room
    set_aside: SetAside
    metrics: Metrics
    size: int | None = None
    generation: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    _fetch: Fetch | None = None
    _partial: Partial | None = None
    _resumed: bool = False
    _opened: bool = False
    _verified: bool = False
    _settled: bool = False
    _leaving: bool = False
    _error: EntrepotError | None = None
    _told_bytes: int = 0
    _telling: asyncio.TimerHandle | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _published: bool = False
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def __repr__(self) -> str:
        state = "verified" if self._verified else "open" if self._opened else "asking"
        there = self._partial.written.total if self._partial is not None else 0
        return f"<Fill {self.wanted.digest} {state} {there}/{self.size}>"

    # -- for readers ---------------------------------------------------------------------------

    @property
    def opened(self) -> bool:
        """A mirror has answered: what there is to say in the response's head is known."""
        return self._opened

    @property
    def public(self) -> bool:
        """Whether clients of public registries may join it (P27)."""
        return self._published or not self.wanted.private

    def publish(self) -> None:
        """A public registry has it as well: from here on it is for everybody."""
        self._published = True
        if self._partial is not None:
            self._partial.public = True

    @property
    def sources(self) -> str:
        """The mirrors whose bytes are in it, for the log."""
        return (
            ",".join(sorted(self._fetch.contributions.mirrors)) if self._fetch is not None else ""
        )

    @property
    def failed(self) -> bool:
        """Nobody can join it any more; until it has ended no other can begin."""
        return self._leaving or self._error is not None

    async def wait_ended(self) -> None:
        """Return once it has let go of its files."""
        await self._ended.wait()

    async def wait_opened(self) -> None:
        """Return once a mirror has answered; raises what the fill failed with before that."""
        while not self._opened:
            if self._error is not None:
                raise self._error
            await self._changed.wait()

    async def wait_bytes(self, offset: int, generation: int, *, whole: bool = True) -> int:
        """Return a stop > `offset` up to which bytes may be read; `size` at the very end.

        `whole` is for a reader that goes on to the end and would take the blob for complete: the
        last bytes are held back from it until all of them are proved. Raises TransferBroken when
        the bytes will not come, or when bytes that a reader of `generation` may have passed on
        were wrong.
        """
        waits: object = None
        try:
            while True:
                if generation != self.generation:
                    raise TransferBroken(f"{self.wanted.digest}: the bytes sent so far were wrong")
                ready = self._ready(offset, whole=whole)
                if ready > offset or (self._verified and self.size == offset):
                    return ready
                if self._error is not None:
                    raise TransferBroken(f"{self.wanted.digest}: {self._error}") from self._error
                if waits is None and self._fetch is not None:
                    waits = object()
                    self._fetch.want(waits, offset)
                await self._changed.wait()
        finally:
            if waits is not None and self._fetch is not None:
                self._fetch.readers.pop(waits, None)

    async def open_file(self) -> BinaryIO:
        """The growing file; the caller closes it. It stays readable when the blob is committed.

        Raises TransferBroken when there is none to read.
        """
        if self._partial is not None:
            return await self._partial.open_reader()
        stored = await self.store.get(self.wanted.digest)
        if stored is None:
            raise TransferBroken(f"{self.wanted.digest}: gone from the cache")
        return stored.file

    # -- the fill itself -----------------------------------------------------------------------

    async def run(self) -> None:
        """Fetch until the blob is whole, verified and durable; raises nothing but cancellation."""
        self.metrics.fills.inc()
        try:
            with self.room.flight(self.wanted.digest, self._amounts):
                await self._fetch_and_commit()
        except EntrepotError as error:
            log.warning("fill.failed", digest=str(self.wanted.digest), reason=str(error))
            self._fail(error)
        except Exception as error:  # readers must hear of it, whatever it is
            log.exception("fill.died", digest=str(self.wanted.digest))
            self._fail(TransferBroken(f"internal error ({type(error).__name__})"))
        finally:
            self.metrics.fills.dec()
            if self._partial is not None:
                await self._partial.aclose()

    def abandon(self) -> None:
        """Tell readers that nobody works on it any more, should they still be waiting."""
        if self._error is None:
            self._fail(TransferBroken("the server is stopping"))
        self._ended.set()

    def interrupt(self, error: EntrepotError) -> None:
        """Tell readers at once why nothing more will come; whoever owns the task cancels it."""
        self._fail(error)

    async def _fetch_and_commit(self) -> None:
        stored = await self.store.size(self.wanted.digest)
        if stored is not None:  # committed between the reader's look and this task's start
            self._finish(stored)
            return
        began = asyncio.get_running_loop().time()
        partial = self._partial = await self.store.begin(self.wanted.digest, public=self.public)
        partial.public = self.public  # it may have been published meanwhile
        self._resumed = partial.written.total > 0
        self._expect(partial)
        self._fetch = Fetch(
            wanted=self.wanted,
            partial=partial,
            rules=self.rules,
            set_aside=self.set_aside,
            metrics=self.metrics,
            progressed=self._progressed,
            attempts=self.attempts,
        )
        await self._bring(partial, self._fetch)
        self._finish(partial.front)
        seconds = asyncio.get_running_loop().time() - began
        try:
            async with self.room.place(self.wanted.digest, partial.front):
                await partial.commit()
                await self.room.kept(self.wanted, partial.front, self.sources, seconds)
                self._settled = True
        except NoRoom as error:
            await self._serve_only(partial, error)
            return
        log.info(
            "fill.done",
            digest=str(self.wanted.digest),
            registry=self.wanted.registry.name,
            repository=self.wanted.repository,
            mirror=self.sources,
            bytes=self.size,
        )

    async def _serve_only(self, partial: Partial, error: NoRoom) -> None:
        """Wait until all readers have got what there is no room to keep, then remove it."""
        self.metrics.cache.not_kept.inc()
        log.warning("blob.not_kept", digest=str(self.wanted.digest), reason=str(error))
        await self.room.leases.idle(self.wanted.digest)
        self._settled = self._leaving = True
        await partial.discard()

    def _amounts(self) -> tuple[int, int]:
        """Tell the room how much is coming, and how much of it is on the disk."""
        if self._settled or self._partial is None:
            return 0, 0
        return self.size or self.wanted.expected_size or 0, self._partial.written.total

    async def _bring(self, partial: Partial, fetch: Fetch) -> None:
        """Return when `partial` holds the whole verified blob; raises Exhausted."""
        while True:
            try:
                await fetch.run()
            except Exhausted:
                if await self._is_whole(partial):
                    return
                raise
            if await partial.verify():
                return
            self._cut()
            liar = await find_liar(fetch, partial, resumed=self._resumed)
            if liar is not None:
                self._reject({liar}, fetch, partial)
                return
            await self._throw_away(partial, fetch)

    async def _is_whole(self, partial: Partial) -> bool:
        """Whether it only looked short because a mirror had promised too much.

        What a manifest says of the length is beyond doubt; what a mirror said is not.
        """
        if self.wanted.expected_size is not None or partial.front in {0, partial.size}:
            return False
        if partial.written.total != partial.front:
            return False
        promised, partial.size = partial.size, partial.front
        if await partial.verify():
            return True
        if promised is not None:
            partial.size = promised
        return False

    def _cut(self) -> None:
        """The bytes are wrong somewhere: who has passed some on must not go on, newcomers wait."""
        self.generation += 1
        self._opened = False
        self._tell()

    async def _throw_away(self, partial: Partial, fetch: Fetch) -> None:
        """Forget the bytes, and set aside who sent them.

        With bytes from before a restart nobody is accused the first time; the second time
        everybody who took part is, so this ends. Raises AllFailed when nobody did: the length
        then is not a mirror's but that of a manifest.
        """
        certain = not self._resumed
        if certain and not fetch.contributions.mirrors:
            told = f"{self.wanted.title}: it is not {partial.size} bytes long, as a manifest says"
            raise AllFailed(told, tuple(self.attempts))
        self._reject(set(fetch.contributions.mirrors) if certain else set(), fetch, partial)
        await partial.reset()
        self._expect(partial)
        self.size = partial.size
        self._resumed = False
        fetch.contributions.clear()
        fetch.answered = False
        self._tell()

    def _reject(self, mirrors: set[str], fetch: Fetch, partial: Partial) -> None:
        for mirror in mirrors:
            fetch.give_up_on(mirror)
            self.metrics.rejected(self.wanted.registry.name, mirror)
            lied = MirrorLied(f"sent bytes that are not {self.wanted.digest}")
            self.attempts.append(Attempt(mirror, self.wanted.repository, lied.outcome, str(lied)))
        log.warning(
            "fill.wrong_bytes",
            digest=str(self.wanted.digest),
            mirror=self.sources,
            set_aside=sorted(mirrors),
            bytes=partial.written.total,
        )

    # -- state changes, no awaits --------------------------------------------------------------

    def _ready(self, offset: int, *, whole: bool) -> int:
        """Up to where a reader at `offset` may read now; `offset` itself when not at all."""
        if self._verified:
            return self.size or 0
        if self._partial is None or not self._opened:
            return offset
        there = self._partial.written.contiguous_end(offset)
        if whole:
            end = self._partial.front if self.size is None else self.size
            there = min(there, end - HELD_BACK_BYTES)
        return max(there, offset)

    def _expect(self, partial: Partial) -> None:
        """What a manifest says of the length counts more than what a mirror will say."""
        if partial.size is None and self.wanted.expected_size is not None:
            partial.size = self.wanted.expected_size

    def _progressed(self) -> None:
        """Tell readers of new bytes, but not of every piece: each telling wakes all of them."""
        if self._partial is None or self._fetch is None:
            return
        opening = self._fetch.answered and not self._opened
        self.size, self._opened = self._partial.size, self._opened or self._fetch.answered
        there = self._partial.written.total
        if opening or there - self._told_bytes >= _TELL_BYTES or not self._told_bytes:
            self._told_bytes = there
            self._tell()
            if opening:
                self.room.look()
        elif self._telling is None:
            loop = asyncio.get_running_loop()
            self._telling = loop.call_later(_TELL_AFTER_S, self._tell)

    def _finish(self, size: int) -> None:
        self.size = size
        self._verified = self._opened = True
        self._tell()

    def _fail(self, error: EntrepotError) -> None:
        if not self._verified:
            self._error = error
        self._tell()

    def _tell(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
