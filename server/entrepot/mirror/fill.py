"""One download in progress, many readers.

A fill belongs to no request. `entrepot.mirror.fetch` brings the bytes into a partial file, in any
order; the fill tells readers how far they may read and proves the whole. `HELD_BACK_BYTES` at its
end wait for that, so that nobody ever completes a corrupt blob (T-9). What the disk does not take
goes on through memory, and is not kept (P30).
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import BinaryIO

import structlog

from entrepot.errors import (
    AllFailed,
    Attempt,
    EntrepotError,
    Exhausted,
    StoreError,
    TransferBroken,
)
from entrepot.metrics import Metrics
from entrepot.mirror.fetch import Fetch
from entrepot.mirror.liar import find_liar
from entrepot.mirror.overflow import Overflow, discard
from entrepot.mirror.places import Places
from entrepot.mirror.promise import believe, was_too_large
from entrepot.mirror.rejection import reject
from entrepot.mirror.relays import Relays
from entrepot.mirror.room import Room
from entrepot.mirror.telling import Telling
from entrepot.mirror.wanted import HELD_BACK_BYTES, Wanted
from entrepot.mirror.window import Window
from entrepot.store.blobs import BlobStore
from entrepot.store.partial import Partial

_UNKNOWN_BYTES = 64 << 20  # to ask for while nobody has said how long the blob is
_SPARE_BYTES = 1 << 20  # names and journals take room as well
log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Fill:
    """The download of one digest; `run` is its whole life, the rest is for its readers.

    `size` is None until a mirror has answered, and stays None while no mirror and no manifest says
    it (Q-1). `generation` counts how often the bytes turned out wrong and were thrown away.
    `places` are its readers, `error` what it failed with. `window` is where bytes come from that
    are not on the disk; None while the disk takes them all. `proved`: it is whole, and verified.
    """

    wanted: Wanted
    store: BlobStore
    room: Room
    metrics: Metrics
    relays: Relays
    size: int | None = None
    generation: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    places: Places = field(default_factory=Places)
    window: Window | None = None
    proved: bool = False
    found_bytes: int = 0  # of a download that broke off, as long as they may be right
    error: EntrepotError | None = None
    _fetch: Fetch | None = None
    _partial: Partial | None = None
    _wrong: bool = False
    _opened: bool = False
    _settled: bool = False
    _leaving: bool = False
    _published: bool = False
    _telling: Telling = field(default_factory=Telling)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def __repr__(self) -> str:
        state = "verified" if self.proved else "open" if self._opened else "asking"
        there = self._partial.written.total if self._partial is not None else 0
        return f"<Fill {self.wanted.digest} {state} {there}/{self.size}>"

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
    def fetch(self) -> Fetch | None:
        """What brings the bytes; None before it is known what is missing."""
        return self._fetch

    @property
    def sources(self) -> str:
        """The mirrors whose bytes are in it, for the log."""
        fetch = self._fetch
        return ",".join(sorted(fetch.contributions.mirrors)) if fetch is not None else ""

    @property
    def gone(self) -> bool:
        """Its beginning has been passed on and cannot be had any more: newcomers need another."""
        return self.window is not None and self.window.gone

    @property
    def failed(self) -> bool:
        """Nobody can join it any more; until it has ended no other can begin."""
        return self._leaving or self.error is not None

    async def wait_ended(self) -> None:
        """Return once it has let go of its files."""
        await self._ended.wait()

    async def wait_opened(self) -> None:
        """Return once a mirror has answered; raises what the fill failed with before that."""
        while not self._opened:
            if self.error is not None:
                raise self.error
            await self._telling.heard()

    async def wait_bytes(self, offset: int, generation: int, *, whole: bool = True) -> int:
        """Return a stop > `offset` up to which the file may be read; `size` at the very end.

        `offset` itself when the bytes there are not on the disk but, sooner or later, in `window`.
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
                ready = self.ready(offset, whole=whole)
                done = self.proved and self.size == offset
                if ready > offset or done or self.window is not None:
                    return ready
                if self.error is not None:
                    raise TransferBroken(f"{self.wanted.digest}: {self.error}") from self.error
                if waits is None and self._fetch is not None:
                    waits = object()
                    self._fetch.want(waits, offset)
                await self._telling.heard()
        finally:
            if waits is not None and self._fetch is not None:
                self._fetch.readers.pop(waits, None)

    async def open_file(self) -> BinaryIO | None:
        """The growing file; the caller closes it. It stays readable when the blob is committed.

        None when everything comes from `window`. Raises TransferBroken or StoreError.
        """
        if self._partial is not None:
            return await self._partial.open_reader()
        if self.window is not None:
            return None
        stored = await self.store.get(self.wanted.digest)
        if stored is None:
            raise TransferBroken(f"{self.wanted.digest}: gone from the cache")
        return stored.file

    async def run(self) -> None:
        """Fetch until the blob is whole, verified and durable; raises nothing but cancellation.

        With a disk that does not take it: until it is whole, verified and every reader has it.
        """
        self.metrics.fills.inc()
        try:
            with self.room.flight(self.wanted.digest, self._amounts):
                try:
                    await self._fetch_and_commit()
                except StoreError as error:
                    if self.proved:
                        raise  # readers have a whole file already
                    await self._relay(error)
        except EntrepotError as error:
            log.warning("fill.failed", digest=str(self.wanted.digest), reason=str(error))
            self._fail(error)
        except Exception as error:  # readers must hear of it, whatever it is
            log.exception("fill.died", digest=str(self.wanted.digest))
            self._fail(TransferBroken(f"internal error ({type(error).__name__})"))
        finally:
            self.metrics.fills.dec()
            if self._partial is not None:
                if self._wrong:
                    await discard(self._partial)
                with contextlib.suppress(StoreError):
                    await self._partial.aclose()

    def abandon(self) -> None:
        """Tell readers that nobody works on it any more, should they still be waiting."""
        if self.error is None:
            self._fail(TransferBroken("the server is stopping"))
        self._ended.set()

    def interrupt(self, error: EntrepotError) -> None:
        """Tell readers at once why nothing more will come; whoever owns the task cancels it."""
        self._fail(error)

    async def _fetch_and_commit(self) -> None:
        stored = await self.store.readable(self.wanted.digest)
        if stored is not None:  # committed between the reader's look and this task's start
            self._finish(stored)
            return
        began = asyncio.get_running_loop().time()
        partial = self._partial = await self.room.for_disk(
            lambda: self.store.begin(self.wanted.digest, public=self.public), self._missing_bytes
        )
        partial.public = self.public  # it may have been published meanwhile
        await believe(self.wanted.expected_size, partial)
        self.found_bytes = partial.written.total
        self._fetch = self.relays.fetch(self.wanted, partial, self._progressed, self.attempts)
        await self._bring(partial, self._fetch)
        self._finish(partial.front)
        seconds = asyncio.get_running_loop().time() - began
        try:
            await self.room.for_disk(lambda: self._place(partial, seconds), self._missing_bytes)
        except StoreError as error:
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

    @property
    def _expected_size(self) -> int | None:
        return self.wanted.expected_size if self.size is None else self.size

    def _missing_bytes(self) -> int:
        """How much room the rest needs, as far as is known."""
        there, size = self._partial.written.total if self._partial else 0, self._expected_size
        return _UNKNOWN_BYTES if size is None else size - there + _SPARE_BYTES

    async def _place(self, partial: Partial, seconds: float) -> None:
        async with self.room.place(self.wanted.digest, partial.front):
            await partial.commit()
            await self.room.kept(self.wanted, partial.front, self.sources, seconds)
            self._settled = True

    async def _serve_only(self, partial: Partial, error: StoreError) -> None:
        """Wait until all readers have got what cannot be kept, then remove it."""
        self.metrics.cache.not_kept.inc()
        log.warning("blob.not_kept", digest=str(self.wanted.digest), reason=str(error))
        await self.room.leases.idle(self.wanted.digest)
        self._settled = self._leaving = True
        await discard(partial)

    def _amounts(self) -> tuple[int, int]:
        """Tell the room how much is coming, and how much of it is on the disk."""
        if self._settled or self._partial is None:
            return 0, 0
        there = self._partial.written.total
        return (self._expected_size or 0) if self.window is None else there, there

    async def _relay(self, cause: StoreError) -> None:
        """Go on through memory until all readers have everything; nothing is kept.

        A partial file that could not be completed would only keep the disk full.
        """
        overflow = Overflow(
            wanted=self.wanted,
            relays=self.relays,
            places=self.places,
            partial=None if self._wrong else self._partial,
            begun=self._begun,
            wrong=self._relayed_wrong,
        )
        await overflow.run(self._expected_size, cause)
        if self._partial is not None:
            self._settled = True
            await discard(self._partial)
        log.info("fill.relayed", digest=str(self.wanted.digest), mirror=self.sources)

    def _begun(self, window: Window) -> Fetch:
        self.window = window
        self._fetch = self._fetch or self.relays.fetch(
            self.wanted, window, self._progressed, self.attempts
        )
        self._telling.now()
        return self._fetch

    def _relayed_wrong(self) -> None:
        """As `_throw_away`, for bytes that are not on the disk."""
        assert self._fetch is not None
        self._cut()
        self._accuse(self._fetch, "its bytes come from nobody, and are wrong")
        self.size = self.wanted.expected_size

    async def _bring(self, partial: Partial, fetch: Fetch) -> None:
        """Return when `partial` holds the whole verified blob; raises Exhausted."""
        while True:
            try:
                await self.room.for_disk(fetch.run, self._missing_bytes)
            except Exhausted:
                # What a manifest says of the length is beyond doubt; what a mirror said is not.
                if self.wanted.expected_size is None and await was_too_large(partial):
                    return
                if not fetch.sources.contradicted:
                    raise
                self._cut()
                await self._throw_away(partial, fetch)
                continue
            if await partial.verify():
                return
            self._cut()
            liar = await find_liar(fetch, partial, resumed=self.found_bytes > 0)
            if liar is not None:
                reject(fetch, {liar})
                self._wrong = False
                return
            await self._throw_away(partial, fetch)

    def _cut(self) -> None:
        """The bytes are wrong somewhere: who has passed some on must not go on, newcomers wait."""
        self.generation += 1
        self._opened, self._wrong = False, True
        self._telling.now()

    async def _throw_away(self, partial: Partial, fetch: Fetch) -> None:
        """Forget the bytes, and set aside who sent them, if that is known.

        Of bytes from before a restart, or from several mirrors, nobody knows. From then on they
        come from one at a time, so this ends. AllFailed when the wrong length is a manifest's.
        """
        self._accuse(fetch, f"it is not {partial.size} bytes long, as a manifest says")
        await partial.reset()
        self._wrong = False
        await believe(self.wanted.expected_size, partial)
        self.size = partial.size
        self._telling.now()

    def _accuse(self, fetch: Fetch, otherwise: str) -> None:
        mirrors = fetch.contributions.mirrors
        if not (mirrors or self.found_bytes):
            raise AllFailed(f"{self.wanted.title}: {otherwise}", tuple(self.attempts))
        known = fetch.in_order or len(mirrors) == 1
        fetch.in_order |= not known
        reject(fetch, mirrors if known and not self.found_bytes else ())
        fetch.contributions.clear()
        fetch.sources.forgive()
        fetch.answered, self.found_bytes = False, 0

    def ready(self, offset: int, *, whole: bool) -> int:
        """Up to where a reader at `offset` may read now; `offset` itself when not at all."""
        if self.proved:
            return self.size or 0
        if self._partial is None or not self._opened:
            return offset
        there, window = self._partial.written.contiguous_end(offset), self.window
        if window is not None and (self._wrong or self._partial.lost):
            return offset
        if whole and window is not None:
            there = min(there, window.base.at)  # up to there it is part of the proof
        if whole and not (window is not None and window.proved):
            end = self._partial.front if self.size is None else self.size
            there = min(there, end - HELD_BACK_BYTES)
        return max(there, offset)

    def _progressed(self) -> None:
        """Tell readers of new bytes, but not of every piece: each telling wakes all of them."""
        if self._fetch is None:
            return
        opening = self._fetch.answered and not self._opened
        self.size, self._opened = self._fetch.partial.size, self._opened or self._fetch.answered
        if opening:
            self._telling.now()
            self.room.look()
        self._telling.grown(self._fetch.partial.written.total)

    def _finish(self, size: int) -> None:
        self.size = size
        self.proved = self._opened = True
        self._telling.now()

    def _fail(self, error: EntrepotError) -> None:
        if not self.proved:
            self.error = error
        if self.window is not None:
            self.window.fail(error)
        self._telling.now()
