"""A reader of a fill: from the growing file, from memory when the disk does not take the blob.

Most read what is brought for all. One that is too slow for the others, or wants a part that is far
from where they are, goes on with a relay of its own.
"""

from __future__ import annotations

import contextlib
from typing import BinaryIO

import structlog

from entrepot.errors import StoreError, TransferBroken
from entrepot.mirror.fill import Fill
from entrepot.mirror.leases import Lease
from entrepot.mirror.places import Places
from entrepot.mirror.relay import Relay
from entrepot.mirror.window import Checkpoint, PassedBy, Window
from entrepot.store.segment import Segment

STRETCH_BYTES = 4 << 20
"""A reader is heard of at least this often, so that it is known where it is."""

log = structlog.get_logger(__name__)


class FillReader:
    """One reader of a fill, which knows of it until `close`. See BlobReader.

    `size` is what was promised in the response's head. `whole` false: it reads a bounded part, and
    is not kept waiting for the proof of all the rest (L-3); whoever puts parts together has digests
    of its own for them.
    """

    def __init__(self, fill: Fill, source: str, lease: Lease) -> None:
        self.fill = fill
        self.source = source
        self.lease = lease
        self.whole = True
        self.size: int | None = None
        self._places = fill.places
        self._place = fill.places.enter()
        self._own: Relay | None = None
        self._file: BinaryIO | None = None
        self._disk: BinaryIO | None = None
        self._memory: BinaryIO | None = None
        self._segment: Segment | None = None
        self._checkpoint: Checkpoint | None = None
        self._generation: int | None = None

    @property
    def file(self) -> BinaryIO:
        """What `wait` has spoken of last; another after each `wait`, perhaps."""
        assert self._file is not None, "nothing to read before `wait` has said so"
        return self._file

    @property
    def mirror(self) -> str:
        """Whose bytes they are, as far as is known now."""
        if self._own is not None:
            return ",".join(sorted(self._own.fetch.contributions.mirrors)) or self.fill.sources
        return self.fill.sources

    async def open(self) -> None:
        """Open what is on the disk; a fill that has been opened is waited for by the caller.

        Where the disk does not even give that, the bytes come from mirrors (P30).
        """
        try:
            self._disk = await self.fill.open_file()
        except StoreError as error:
            log.warning("fill.unreadable", digest=str(self.fill.wanted.digest), reason=str(error))

    async def wait(self, offset: int) -> int:
        """See BlobReader; bytes thrown away before this reader sent any do not concern it."""
        while True:
            generation = self.fill.generation if self._generation is None else self._generation
            try:
                stop = await self._wait(offset, generation)
            except TransferBroken:
                if self._generation is not None or generation == self.fill.generation:
                    raise
                continue  # the bytes were replaced before this reader passed any on
            self._generation = generation
            return self._within_size(stop)

    def failed(self) -> None:
        """Nothing to do: a fill finds out for itself."""

    def close(self) -> None:
        """Let go of the files; the fill goes on, a relay of its own does not."""
        self.lease.release()
        self._places.leave(self._place)
        for file in (self._disk, self._memory):
            if file is not None:
                file.close()

    async def _wait(self, offset: int, generation: int) -> int:
        while self._own is None:
            self._places.move(self._place, offset)
            stop = await self.fill.wait_bytes(offset, generation, whole=self.whole)
            window = self.fill.window
            if stop > offset and self._disk is not None:
                self._file = self._disk
                return min(stop, offset + STRETCH_BYTES)
            if stop == offset and window is None:
                return stop  # the end
            if window is not None:
                with contextlib.suppress(PassedBy):
                    return await self._from_shared(window, offset)
                if self._disk is not None and self.fill.ready(offset, whole=self.whole) > offset:
                    continue  # what was held back of the disk's part is proved now
            self._own = self._alone(offset)
        try:
            return await self._from(self._own.window, offset)
        except PassedBy as error:
            raise TransferBroken(f"{self.fill.wanted.digest}: its relay has ended") from error

    async def _from_shared(self, window: Window, offset: int) -> int:
        if self._checkpoint is None and offset >= window.base.at:
            if self.whole and self._generation is not None and offset > window.vouched:
                # What it has sent on lay beyond what was hashed, and is no part of the proof.
                raise TransferBroken(f"{self.fill.wanted.digest}: the disk is full")
            self._checkpoint = window.base
        return await self._from(window, offset)

    async def _from(self, window: Window, offset: int) -> int:
        found = await window.wait(self._place, offset, whole=self.whole)
        if found is None:
            return offset
        segment, stop = found
        if segment is not self._segment:
            file = await window.open(segment)
            if self._memory is not None:
                self._memory.close()
            self._memory, self._segment = file, segment
            self._checkpoint = Checkpoint(segment.start, segment.hasher)
        self._file = self._memory
        return stop

    def _alone(self, offset: int) -> Relay:
        """A relay of its own, from where what it has sent on is known; TransferBroken."""
        digest = self.fill.wanted.digest
        base = self._checkpoint
        if not self.whole:
            base = Checkpoint(offset, None)
        elif self._generation is None:
            base = Checkpoint(0, digest.hasher())
        elif base is None:
            raise TransferBroken(f"{digest}: what was read of it is gone")
        self._places.leave(self._place)
        self._places = Places()
        self._place = self._places.enter(offset)
        return self.fill.relays.alone(self.fill.wanted, base, self._places, self.fill.size)

    def _within_size(self, stop: int) -> int:
        """`stop`, unless the length turned out to be another than the head promised."""
        size = self._own.window.size if self._own is not None else self.fill.size
        if self.size is not None and size != self.size:
            raise TransferBroken(f"{self.fill.wanted.digest}: its length was not {self.size}")
        return stop
