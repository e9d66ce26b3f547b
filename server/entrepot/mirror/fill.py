"""One download in progress, many readers.

A fill belongs to nobody's request. It asks the mirrors, writes what comes into a partial file and
tells its readers how far they may read; the last `HELD_BACK_BYTES` are theirs only when the whole
digest has verified, so that nobody ever completes a corrupt blob (T-9). A mirror that breaks off is
replaced by the next one at the byte where it stopped; a reader notices nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import structlog

from entrepot.errors import (
    Attempt,
    AttemptError,
    BlobUnknown,
    EntrepotError,
    MirrorLied,
    TransferBroken,
)
from entrepot.metrics import Metrics
from entrepot.mirror.race import Race, Won, attempt_of, exhausted
from entrepot.mirror.registry import Registry, asking_order
from entrepot.mirror.setaside import SetAside
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName
from entrepot.store.blobs import BlobStore
from entrepot.store.partial import Partial
from entrepot.upstream.blobstream import BlobStream
from entrepot.upstream.mirror import MirrorClient

HELD_BACK_BYTES = 256 * 1024
"""Withheld from every reader until the digest verifies; blobs below it are never half-served."""

_TOLD_ATTEMPTS = 20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FillRules:
    """How long a fill tries, in seconds.

    `give_up_s` counts from the last new byte and only after some mirror had answered: readers are
    waiting for the rest then, and a mirror that comes back in time loses them nothing.
    """

    headers_s: float
    overtake_s: float
    give_up_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch and in whose name: the repository decides what each mirror calls it.

    `prefer` is the mirror whose manifest names the digest (U-11), `expected_size` what that
    manifest says of it, in bytes.
    """

    digest: Digest
    registry: Registry
    repository: RepositoryName
    prefer: str | None = None
    expected_size: int | None = None

    @property
    def title(self) -> str:
        """How a person would write it."""
        return f"{self.registry.name}/{self.repository}@{self.digest}"


@dataclass(slots=True)
class Fill:
    """The download of one digest; `run` is its whole life, the rest is for its readers.

    `size` is None until a mirror has answered, and stays None while no mirror and no manifest says
    it (Q-1). `generation` counts how often the bytes turned out wrong and were thrown away.
    """

    wanted: Wanted
    rules: FillRules
    store: BlobStore
    set_aside: SetAside
    metrics: Metrics
    size: int | None = None
    generation: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    _contributors: set[str] = field(default_factory=set)
    _broke_off: set[str] = field(default_factory=set)
    _liars: set[str] = field(default_factory=set)
    _resumed: bool = False
    _released: int = 0
    _opened: bool = False
    _promised: bool = False
    _verified: bool = False
    _error: EntrepotError | None = None
    _partial: Partial | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __repr__(self) -> str:
        state = "verified" if self._verified else "open" if self._opened else "asking"
        return f"<Fill {self.wanted.digest} {state} {self._released}/{self.size}>"

    # -- for readers ---------------------------------------------------------------------------

    @property
    def opened(self) -> bool:
        """A mirror has answered: what there is to say in the response's head is known."""
        return self._opened

    @property
    def sources(self) -> str:
        """The mirrors whose bytes are in it, for the log."""
        return ",".join(sorted(self._contributors))

    async def wait_opened(self) -> None:
        """Return once a mirror has answered; raises what the fill failed with before that."""
        while not self._opened:
            if self._error is not None:
                raise self._error
            await self._changed.wait()

    async def wait_bytes(self, offset: int, generation: int) -> int:
        """Return a stop > `offset` up to which bytes may be read; `size` at the very end.

        Raises TransferBroken when those bytes will not come, or when bytes that a reader of
        `generation` may have passed on were wrong.
        """
        while True:
            if generation != self.generation:
                raise TransferBroken(f"{self.wanted.digest}: the bytes sent so far were wrong")
            if self._released > offset or (self._verified and self.size == offset):
                return self._released
            if self._error is not None:
                raise TransferBroken(f"{self.wanted.digest}: {self._error}") from self._error
            await self._changed.wait()

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
            await self._fetch_and_commit()
        except EntrepotError as error:
            log.warning("fill.failed", digest=str(self.wanted.digest), reason=str(error))
            self._fail(error)
        except Exception as error:  # readers must hear of it, whatever it is
            log.exception("fill.died", digest=str(self.wanted.digest))
            self._fail(TransferBroken(f"internal error: {error!r}"))
        finally:
            self.metrics.fills.dec()
            if self._partial is not None:
                await self._partial.aclose()

    def abandon(self) -> None:
        """Tell readers that nobody works on it any more, should they still be waiting."""
        if self._error is None:
            self._fail(TransferBroken("the server is stopping"))

    async def _fetch_and_commit(self) -> None:
        stored = await self.store.size(self.wanted.digest)
        if stored is not None:  # committed between the reader's look and this task's start
            self._finish(stored)
            return
        partial = self._partial = await self.store.begin(self.wanted.digest)
        self._resumed = partial.front > 0
        self._expect(partial)
        await self._fetch(partial)
        self._finish(partial.front)
        await partial.commit()
        log.info(
            "fill.done",
            digest=str(self.wanted.digest),
            registry=self.wanted.registry.name,
            repository=self.wanted.repository,
            mirror=self.sources,
            bytes=self.size,
        )

    async def _fetch(self, partial: Partial) -> None:
        """Return when `partial` holds the whole verified blob; raises Exhausted."""
        loop = asyncio.get_running_loop()
        last_progress, pause_s = loop.time(), 1.0
        while True:
            if partial.size is not None and partial.front >= partial.size:
                if await partial.verify():
                    return
                await self._throw_away(partial)
            won = await self._open_stream(partial)
            if won is not None:
                before = partial.front
                await self._copy(partial, won)
                if partial.front > before:
                    last_progress, pause_s = loop.time(), 1.0
                continue
            if not self._promised or loop.time() - last_progress >= self.rules.give_up_s:
                told = tuple(self.attempts[-_TOLD_ATTEMPTS:])
                raise exhausted(self.wanted.title, told, BlobUnknown)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 10.0)

    async def _open_stream(self, partial: Partial) -> Won[BlobStream] | None:
        """A stream that begins at the front, from the first mirror that answers; None if none."""
        now = asyncio.get_running_loop().time()
        registry = self.wanted.registry
        names = tuple(mirror.name for mirror in registry.mirrors)
        race: Race[BlobStream] = Race(
            order=asking_order(
                registry.mirrors,
                self.wanted.repository,
                now,
                prefer=self.wanted.prefer,
                without=self._liars,
                later=self._broke_off,
                doubted=self.set_aside.mirrors(self.wanted.digest, names, now),
            ),
            repository=self.wanted.repository,
            ask=self._asking(partial),
            overtake_s=self.rules.overtake_s,
            deadline=now + self.rules.headers_s,
            metrics=self.metrics,
            discard=BlobStream.aclose,
        )
        won = await race.run()
        self.attempts.extend(race.attempts)
        self._broke_off.clear()
        if won is not None:
            if partial.size is None and won.answer.size is not None:
                partial.size = won.answer.size
            self._open(partial.size)
        return won

    def _asking(
        self, partial: Partial
    ) -> Callable[[MirrorClient], Coroutine[Any, Any, BlobStream]]:
        wanted = self.wanted

        async def ask(mirror: MirrorClient) -> BlobStream:
            try:
                return await mirror.open_blob(
                    wanted.repository,
                    wanted.digest,
                    start=partial.front,
                    expected_size=partial.size,
                )
            except MirrorLied:
                self._accuse(mirror.name)
                raise

        return ask

    async def _copy(self, partial: Partial, won: Won[BlobStream]) -> None:
        """Write what `won` sends until it ends, fails or the blob is whole; closes the stream."""
        loop = asyncio.get_running_loop()
        stream, mirror, started = won.answer, won.mirror, loop.time()
        offset = stream.start
        try:
            while data := await stream.read():
                self._contributors.add(mirror.name)
                await partial.write(offset, data)
                offset += len(data)
                self.metrics.fetched(mirror.registry, mirror.name, len(data))
                self._release(partial.front)
            if partial.size is None:
                partial.size = offset
                self.size = offset
        except AttemptError as error:
            if await self._is_whole(partial):
                return
            now = loop.time()
            mirror.health.record_failure(error, now)
            self._broke_off.add(mirror.name)
            if isinstance(error, MirrorLied):
                self._accuse(mirror.name)
            attempt = attempt_of(mirror, self.wanted.repository, error, now - started)
            self.attempts.append(attempt)
            self.metrics.attempt(mirror.registry, mirror.name, attempt.outcome)
            log.info(
                "fill.broke_off",
                digest=str(self.wanted.digest),
                mirror=mirror.name,
                at=offset,
                of=partial.size,
                outcome=attempt.outcome,
                reason=attempt.message,
            )
        finally:
            await stream.aclose()

    async def _is_whole(self, partial: Partial) -> bool:
        """Whether it only looked short because a mirror had promised too much.

        What a manifest says of the length is beyond doubt; what the mirror said is not.
        """
        if self.wanted.expected_size is not None or partial.front == 0:
            return False
        promised, partial.size = partial.size, partial.front
        if await partial.verify():
            return True
        if promised is not None:
            partial.size = promised
        return False

    async def _throw_away(self, partial: Partial) -> None:
        """The bytes are wrong: forget them, set aside who sent them, cut off who got some.

        With several senders, or bytes from before a restart, nobody is accused the first time; the
        second time everybody who took part is, so this ends.
        """
        certain = len(self._contributors) == 1 and not self._resumed
        accused = self._contributors if certain or self.generation else set()
        for mirror in accused:
            self._accuse(mirror)
            self.metrics.rejected(self.wanted.registry.name, mirror)
            lied = MirrorLied(f"sent {partial.front} bytes that are not {self.wanted.digest}")
            self.attempts.append(Attempt(mirror, self.wanted.repository, lied.outcome, str(lied)))
        log.warning(
            "fill.wrong_bytes",
            digest=str(self.wanted.digest),
            mirror=self.sources,
            set_aside=sorted(accused),
            bytes=partial.front,
        )
        await partial.reset()
        self._expect(partial)
        self.generation += 1
        self.size = partial.size
        self._released = 0
        self._opened = False
        self._resumed = False
        self._contributors.clear()
        self._tell()

    # -- state changes, no awaits --------------------------------------------------------------

    def _expect(self, partial: Partial) -> None:
        """What a manifest says of the length counts more than what a mirror will say."""
        if partial.size is None and self.wanted.expected_size is not None:
            partial.size = self.wanted.expected_size

    def _accuse(self, mirror: str) -> None:
        """Never ask `mirror` again in this fill, and only as a last resort in the next ones."""
        self._liars.add(mirror)
        now = asyncio.get_running_loop().time()
        self.set_aside.put(self.wanted.digest, mirror, now)

    def _open(self, size: int | None) -> None:
        self.size = size
        self._opened = self._promised = True
        self._release(self._partial.front if self._partial is not None else 0)

    def _release(self, front: int) -> None:
        free = front - HELD_BACK_BYTES if self.size is None else self.size - HELD_BACK_BYTES
        self._released = max(self._released, min(front, free))
        self._tell()

    def _finish(self, size: int) -> None:
        self.size = self._released = size
        self._verified = self._opened = True
        self._tell()

    def _fail(self, error: EntrepotError) -> None:
        if not self._verified:
            self._error = error
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
