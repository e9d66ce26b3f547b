"""The scrub: blobs are hashed again, one after the other, and rotten ones moved out of the way.

A rotten blob is not deleted but put in quarantine, and forgotten; whoever wants it next gets it
from a mirror, tags that lead to it stay. Somebody who reads it at that moment reads on: the file
is the same, only elsewhere, and clients prove what they get.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import structlog

from entrepot.errors import StoreError
from entrepot.metrics import UpkeepMetrics
from entrepot.oci.digest import Digest
from entrepot.store.adoption import MOST_MANIFEST_BYTES
from entrepot.store.blobs import BlobStore
from entrepot.store.catalog import Catalog
from entrepot.store.notes import note, put_notes, time_note
from entrepot.store.pace import Pace
from entrepot.store.quarantine import Quarantine
from entrepot.store.record import BlobRecord
from entrepot.store.rehash import PIECE_BYTES, Rehash, is_lost
from entrepot.store.threads import DiskThreads

IN_USE_S = 3600.0
"""What was asked for in this time may be asked for again: its pages are left in memory."""

_BLOBS = "SELECT digest FROM blobs WHERE digest > ? ORDER BY digest LIMIT 200"
_PIECES = 4 * PIECE_BYTES

log = structlog.get_logger(__name__)


class Verdict(Enum):
    """What a check found."""

    SOUND = "sound"
    ROTTEN = "rotten"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ScrubStatus:
    """How far the scrub is. Times are seconds of the epoch; None is never, or not now.

    `blobs`, `bytes` and `rotten` count since the start of the process. `kept_hashed_at` is the end
    of the last round, unless nothing was kept then.
    """

    running: bool = False
    position: str = ""
    round_began_at: float | None = None
    round_ended_at: float | None = None
    kept_hashed_at: float | None = None
    blobs: int = 0
    bytes: int = 0
    rotten: int = 0
    last_rotten: Digest | None = None


@dataclass(slots=True)
class Scrub:
    """Scrubs one cache. `clock` is the wall clock.

    `forgotten` is told of each blob that was taken out, so that it leaves memory as well.
    `forget` takes the rows of blobs whose files are gone out of the catalog.
    """

    store: BlobStore
    catalog: Catalog
    quarantine: Quarantine
    threads: DiskThreads
    metrics: UpkeepMetrics
    clock: Callable[[], float]
    forgotten: Callable[[Digest], None] = lambda _: None
    forget: Callable[[Sequence[Digest]], Awaitable[object]] | None = None
    _status: ScrubStatus = field(default_factory=ScrubStatus)

    @property
    def status(self) -> ScrubStatus:
        """How far it is now."""
        return self._status

    async def check(self, digest: Digest, pace: Pace | None = None) -> Verdict:
        """Hash one blob, and put it in quarantine if it is rotten. Without a pace: at once.

        Raises StoreError when it is rotten and cannot be moved, or the catalog be told of it.
        """
        record = await self.catalog.blob(digest)
        in_use = record is not None and record.used_at > self.clock() - IN_USE_S
        path = self.store.layout.blob(digest)
        try:
            rehash = await self.threads.run(
                lambda: Rehash(digest, path, keep_cached=in_use), undo=Rehash.close
            )
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return Verdict.GONE
            log.warning("scrub.unreadable", digest=str(digest), reason=str(error))
            return Verdict.UNKNOWN
        try:
            told = await self._judged(rehash, pace or Pace())
            if isinstance(told, str):
                return await self._take_out(rehash, record, told)
        finally:
            await self.threads.finish(rehash.close)
        self._counted(rehash.at)
        if told is Verdict.SOUND and record is not None and record.size != rehash.at:
            await self.catalog.put_blob(replace(record, size=rehash.at))
        return told

    async def run(self, pace: Pace) -> None:
        """Check every blob once; where an earlier process was in the middle, go on from there.

        A blob that came in behind it is left to the next round: it was proved when it came.
        """
        last = await note(self.catalog, "scrub_position") or ""
        hashed = last != ""
        began_at = await time_note(self.catalog, "scrub_began") if last else None
        if began_at is None:
            last, began_at = "", self.clock()
            await put_notes(self.catalog, scrub_began=began_at, scrub_position=None)
        self._status = replace(self._status, running=True, position=last, round_began_at=began_at)
        try:
            while rows := await self.catalog.survey(_BLOBS, last):
                hashed = True
                for (name,) in rows:
                    await self._checked(Digest.parse(str(name)), pace)
                    last = str(name)
                    self._status = replace(self._status, position=last)
                await put_notes(self.catalog, scrub_position=last)
        finally:
            self._status = replace(self._status, running=False)
        ended_at = self.clock()
        told = {"scrub_hashed": ended_at} if hashed else {}
        await put_notes(self.catalog, scrub_ended=ended_at, scrub_position=None, **told)
        self._status = replace(self._status, position="", round_ended_at=ended_at)
        if hashed:
            self._status = replace(self._status, kept_hashed_at=ended_at)
        self.metrics.scrub_round.set(ended_at)

    async def due_in(self, every_s: float) -> float:
        """How many seconds from now the next round begins, when they begin `every_s` apart."""
        if await note(self.catalog, "scrub_position"):
            return 0.0
        began_at = await time_note(self.catalog, "scrub_began")
        ended_at = await time_note(self.catalog, "scrub_ended")
        if ended_at is not None:
            self._status = replace(self._status, round_began_at=began_at, round_ended_at=ended_at)
            hashed_at = await time_note(self.catalog, "scrub_hashed")
            self._status = replace(self._status, kept_hashed_at=hashed_at)
            self.metrics.scrub_round.set(ended_at)
        if began_at is None or ended_at is None:
            return 0.0
        # a clock that was put back must not stop it for years
        return min(max(0.0, began_at + every_s - self.clock()), every_s)

    async def _checked(self, digest: Digest, pace: Pace) -> None:
        try:
            await self.check(digest, pace)
        except StoreError as error:
            log.warning("scrub.failed", digest=str(digest), reason=str(error))

    async def _judged(self, rehash: Rehash, pace: Pace) -> Verdict | str:
        """What it is; words for what is wrong with it. Looked at twice before it is called rotten.

        The second time it comes from the disk: what was wrong may have been memory.
        """
        told: Verdict | str = Verdict.SOUND
        for attempt in range(2):
            if attempt:
                await self.threads.run(rehash.rewind)
            told = await self._hashed(rehash, pace)
            if not isinstance(told, str):
                break
        return told

    async def _hashed(self, rehash: Rehash, pace: Pace) -> Verdict | str:
        try:
            more = True
            while more:
                before = rehash.at
                more = await self.threads.run(lambda: rehash.read(_PIECES))
                await pace.spent(rehash.at - before, whole=not more)
        except StoreError as error:
            if isinstance(error.__cause__, OSError) and is_lost(error.__cause__):
                return f"cannot be read at {rehash.at}: {error.__cause__.strerror}"
            log.warning("scrub.unreadable", digest=str(rehash.digest), reason=str(error))
            return Verdict.UNKNOWN
        if rehash.proved or await self._proved_otherwise(rehash):
            return Verdict.SOUND
        return f"{rehash.at} bytes that are not it"

    async def _proved_otherwise(self, rehash: Rehash) -> bool:
        """Whether it is a signed schema 1 manifest, named by what was signed (F-3)."""
        if rehash.at > MOST_MANIFEST_BYTES:
            return False
        try:
            return await self.store.read(rehash.digest, MOST_MANIFEST_BYTES) is not None
        except StoreError:
            return False

    async def _take_out(self, rehash: Rehash, record: BlobRecord | None, told: str) -> Verdict:
        digest, layout = rehash.digest, self.store.layout
        now = self.clock()

        def take() -> str:
            if not rehash.in_place:  # it went, and may have come again, while we read
                return ""
            return str(self.quarantine.take(layout.blob(digest), now, digest.algorithm) or "")

        kept = await self.threads.run(take)
        if not kept:
            return Verdict.GONE
        self.forgotten(digest)
        log.error(
            "scrub.rotten",
            digest=str(digest),
            found=told,
            size=record.size if record is not None else None,
            registry=record.registry if record is not None else "",
            mirror=record.mirror if record is not None else "",
            kept=kept,
        )
        self.metrics.rotten.inc()
        self._counted(rehash.at, rotten=digest)
        await (self.forget or self.catalog.remove_blobs)([digest])
        return Verdict.ROTTEN

    def _counted(self, count: int, rotten: Digest | None = None) -> None:
        self.metrics.scrubbed_blobs.inc()
        self.metrics.scrubbed_bytes.inc(count)
        status = self._status
        self._status = replace(
            status,
            blobs=status.blobs + 1,
            bytes=status.bytes + count,
            rotten=status.rotten + (rotten is not None),
            last_rotten=rotten or status.last_rotten,
        )
