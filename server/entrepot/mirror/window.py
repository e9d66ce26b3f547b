"""The latest bytes of one blob in memory: what the disk does not take is passed on from here.

Bytes come in order. They stay until every reader has sent them on, and no more come while there are
too many: the slowest reader sets the pace, unless it stands still.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import structlog

from entrepot.errors import Corrupt, EntrepotError, StoreError, TransferBroken
from entrepot.mirror.destination import Receive
from entrepot.mirror.places import Place, Places
from entrepot.mirror.wanted import HELD_BACK_BYTES
from entrepot.oci.digest import Digest, Hasher
from entrepot.store.rangeset import EMPTY, RangeSet
from entrepot.store.segment import Segment
from entrepot.store.threads import DiskThreads

WINDOW_BYTES = 8 << 20
SEGMENT_BYTES = 1 << 20
LEFT_BEHIND_S = 10.0
"""A reader that needs longer for a segment, while others wait for it, has to go on alone."""

Buffer = bytes | bytearray | memoryview

log = structlog.get_logger(__name__)


class PassedBy(Exception):
    """The bytes at that offset are gone, or too far away: they have to be fetched separately."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where bytes may go on from, and the hash of all before; None when nothing is proved."""

    at: int
    hasher: Hasher | None

    def hashing(self) -> Hasher | None:
        """A hash that goes on from here; this one stays as it is."""
        return self.hasher.copy() if self.hasher is not None else None


class Window:
    """Takes the place of a partial file for a `Fetch`, and of the file for its readers.

    `size` is the whole blob's, None until somebody says it; `front` is how far the bytes have come.
    What readers got from elsewhere is covered by the proof up to `vouched`. `gone` tells that a
    reader from the start of the blob cannot join any more. `places` may be shared with others;
    readers that stand still are taken out of it.
    """

    def __init__(
        self,
        digest: Digest,
        base: Checkpoint,
        places: Places,
        threads: DiskThreads,
        *,
        size: int | None = None,
        most_bytes: int = WINDOW_BYTES,
        agrees_with: Checkpoint | None = None,
        patience_s: float = LEFT_BEHIND_S,
        passed_on: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`passed_on` is told how many bytes have come, each time that some have.

        `agrees_with` is what readers were given before, and was lost: the bytes up to there must
        be the same again, or they are Corrupt.
        """
        self.digest = digest
        self.base = base
        self.places = places
        self.size = size
        self.front = base.at
        self.proved = False
        self.gone = False
        self.vouched = base.at if agrees_with is None else agrees_with.at
        self._agrees_with = agrees_with
        self._threads = threads
        self.most_bytes = most_bytes
        self._patience_s = patience_s
        self._passed_on = passed_on
        self._hasher = base.hashing()
        self._segments: deque[Segment] = deque()
        self._error: EntrepotError | None = None
        self._closed = False
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Window {self.digest} {self.base.at}..{self.front}/{self.size}>"

    @property
    def written(self) -> RangeSet:
        """What need not be fetched: everything up to `front`."""
        return EMPTY.add(0, self.front)

    @property
    def held_bytes(self) -> int:
        """How much memory is in use."""
        return sum(segment.stop - segment.start for segment in self._segments)

    # -- for the one that brings bytes -----------------------------------------------------------

    async def write(
        self,
        offset: int,
        data: Buffer | Sequence[Buffer],
        done: Callable[[], None] | None = None,
    ) -> None:
        """Take the bytes at `front`, as soon as the readers have made room. StoreError.

        `done` is called when their memory is not needed any more; never when this raises.
        """
        if offset != self.front:
            raise ValueError(f"{self.digest}: bytes at {offset} where {self.front} comes next")
        parts = [data] if isinstance(data, bytes | bytearray | memoryview) else data
        buffers = [memoryview(part).cast("B") for part in parts if len(part)]
        count = sum(map(len, buffers))
        await self._room(count)
        # What every reader is past already is only hashed.
        segment = self._segment() if self._low() < offset + count else None
        self.gone = self.gone or segment is None
        await self._threads.run(lambda: self._take(segment, offset, buffers))
        if done is not None:
            done()
        self.front += count
        if segment is not None:
            segment.stop = self.front
        self._passed_on(count)
        self._drop()
        self._tell()

    async def write_from(self, offset: int, receive: Receive) -> int:
        """Take what `receive` has; it comes to memory in any case, so the loop may fetch it."""
        data, done = receive()
        if data:
            await self.write(offset, data, done)
        else:
            done()
        return len(data)

    def prove(self) -> bool:
        """Say that all bytes have come; whether they are what the digest names."""
        self.size = self.front
        self.proved = self._hasher is None or self._hasher.hexdigest() == self.digest.hex
        self._tell()
        return self.proved

    def fail(self, error: EntrepotError) -> None:
        """Tell readers that nothing more will come."""
        self._error = self._error or error
        self._tell()

    def close(self) -> None:
        """Give the memory back; who comes later is told that all of it is gone."""
        self.gone = self._closed = True
        while self._segments:
            self._segments.popleft().close()
        self._tell()

    def _take(self, segment: Segment | None, offset: int, buffers: Sequence[memoryview]) -> None:
        if segment is not None:
            segment.write(offset, buffers)
        if self._hasher is not None:
            for buffer in buffers:
                self._hash(self._hasher, offset, buffer)
                offset += len(buffer)

    def _hash(self, hasher: Hasher, offset: int, buffer: memoryview) -> None:
        known, cut = self._agrees_with, self.vouched - offset
        if known is None or known.hasher is None or not 0 < cut <= len(buffer):
            hasher.update(buffer)
            return
        hasher.update(buffer[:cut])
        if hasher.hexdigest() != known.hasher.hexdigest():
            raise Corrupt(f"{self.digest}: its first {known.at} bytes are not what they were")
        hasher.update(buffer[cut:])

    def _segment(self) -> Segment:
        """The one that the next bytes belong to."""
        last = self._segments[-1] if self._segments else None
        if last is None or last.stop != self.front or last.stop - last.start >= SEGMENT_BYTES:
            last = Segment(self.front, Checkpoint(self.front, self._hasher).hashing())
            self._segments.append(last)
        return last

    async def _room(self, count: int) -> None:
        while self._too_much(count):
            now = asyncio.get_running_loop().time()
            slow = [place for place in self.places if self._holds_up(place, count)]
            if len(slow) == len(self.places):
                await self.places.stirred()
                continue
            moved = min(place.moved for place in slow)
            await self.places.stirred(max(0.0, moved + self._patience_s - now))
            self._leave_behind(slow)

    def _too_much(self, count: int) -> bool:
        held = self.front - max(self._low(), self.base.at)
        return held > 0 and held + count > self.most_bytes

    def _holds_up(self, place: Place, count: int) -> bool:
        return self.front + count - max(place.offset, self.base.at) > self.most_bytes

    def _leave_behind(self, slow: Sequence[Place]) -> None:
        now = asyncio.get_running_loop().time()
        for place in slow:
            if place in self.places and now - place.moved >= self._patience_s:
                log.info("relay.left_behind", digest=str(self.digest), at=place.offset)
                self.places.leave(place)
                self._drop()

    def _low(self) -> int:
        return self.places.lowest(self.base.at)

    def _drop(self) -> None:
        low = self._low()
        while self._segments and self._segments[0].stop <= low:
            self._segments.popleft().close()
            self.gone = True

    # -- for readers -----------------------------------------------------------------------------

    async def wait(self, place: Place, offset: int, *, whole: bool) -> tuple[Segment, int] | None:
        """Where bytes from `offset` on are and how far they go; None at the proved end.

        `whole` is for a reader that goes on to the end: the last bytes are held back from it until
        all are proved. Raises PassedBy, or TransferBroken when the bytes will not come.
        """
        self.places.move(place, offset)
        while True:
            self._raise_failure()
            if offset < self._ready(whole=whole):
                return self._find(offset, whole=whole)
            if self.proved and offset == self.size:
                return None
            if self._closed or (not whole and offset > self.front + self.most_bytes):
                raise PassedBy
            await self._changed.wait()

    async def open(self, segment: Segment) -> BinaryIO:
        """Open what `wait` has named; the caller closes. Raises as `wait` when it has gone."""
        try:
            return await self._threads.run(segment.open, undo=lambda file: file.close())
        except StoreError as error:
            self._raise_failure()
            raise PassedBy from error

    def _raise_failure(self) -> None:
        if self._error is not None:
            raise TransferBroken(f"{self.digest}: {self._error}") from self._error

    def _find(self, offset: int, *, whole: bool) -> tuple[Segment, int]:
        for segment in self._segments:
            if segment.start <= offset < segment.stop:
                return segment, min(segment.stop, self._ready(whole=whole))
        raise PassedBy

    def _ready(self, *, whole: bool) -> int:
        if self.proved or not whole:
            return self.front
        return min(self.front, (self.front if self.size is None else self.size) - HELD_BACK_BYTES)

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
