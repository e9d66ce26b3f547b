"""The file of one download as threads see it: bytes, map and hash kept in step.

Everything here blocks and runs in threads; `entrepot.store.partial` is its face on the loop.
Order is what makes it safe. Bytes go to the kernel, then to the journal, then to `written`: at
no moment does one of these claim what the one before it does not have. Bytes already claimed
are never written again, so what has been hashed is what is on the disk.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import structlog

from entrepot.errors import Corrupt, StoreError
from entrepot.oci.digest import Digest, Hasher
from entrepot.store.chunk import Chunk, Held
from entrepot.store.durability import Durability
from entrepot.store.frontier import PIECE_BYTES, Frontier
from entrepot.store.gate import Gate
from entrepot.store.journal import Journal, Kind, Record, Trusted, replay
from entrepot.store.layout import BLOB_MODE, Layout
from entrepot.store.leftover import read_map, remove_partial, remove_unless_useful
from entrepot.store.nofollow import make_private_directory, open_for_writing, open_regular
from entrepot.store.placement import fsync_directory, place
from entrepot.store.rangeset import EMPTY, Interval

log = structlog.get_logger(__name__)


class Draft:
    """An open partial. Writes may overlap in time; everything else has the file to itself."""

    def __init__(self, digest: Digest, layout: Layout, boot: UUID, durable: Durability) -> None:
        """Open what is there, or begin anew; the hash is not caught up yet (`catch_up`)."""
        self.digest = digest
        self._layout = layout
        self._boot = boot
        self._durable = durable
        self._synced_at = time.monotonic()
        self._directory = layout.partial(digest)
        self._path = self._directory / "data"
        self.mode = BLOB_MODE
        make_private_directory(self._directory)
        try:
            self._data = open_for_writing(self._path)
        except OSError:
            remove_unless_useful(self._directory)
            raise
        try:
            found = replay(read_map(self._map), boot).within(os.fstat(self._data).st_size)
            if not found.written:
                os.ftruncate(self._data, 0)
            self._journal = Journal.start(self._map, found, boot)
        except BaseException:
            os.close(self._data)
            remove_unless_useful(self._directory)
            raise
        self.size = self._journaled_size = found.size
        self.written = found.written
        self._frontier = Frontier(digest, self._data)
        self._writing = EMPTY
        self._held: list[Held] = []
        self._hasher_due = False
        self._unsynced = found.written.total - found.durable.total
        self._reachable = False
        self._syncing = False
        self._failed = False
        self._open = True
        self._gate = Gate()
        self._state = threading.Lock()
        self._hashing = threading.Lock()

    @property
    def _map(self) -> Path:
        return self._directory / "map"

    @property
    def is_open(self) -> bool:
        """Whether there are files to close."""
        return self._open

    @property
    def front(self) -> int:
        """Bytes from 0 that are there and hashed."""
        return self._frontier.at

    @property
    def failed(self) -> bool:
        """Whether the disk has lost a write: it never becomes a blob."""
        return self._failed

    def hashed(self) -> tuple[int, Hasher]:
        """Return `front` and a hash of the bytes up to it."""
        with self._gate.alone():
            return self.front, self._frontier.hasher()

    def write(self, chunk: Chunk, done: Callable[[], None] | None = None) -> None:
        """Write what is not there yet; on return it is claimed, and hashed if it can be.

        Where another thread is hashing at this moment, that thread goes on to these bytes. With
        `done` it is left to `hash_on`, from memory; `done` is called when the memory is free again,
        unless this raises.
        """
        with self._gate.shared():
            self._check_usable()
            if self.size is not None and chunk.stop > self.size:
                raise ValueError(f"{self.digest}: [{chunk.start}, {chunk.stop}) of {self.size}")
            mine = [chunk.cut(*interval) for interval in self._reserve(chunk.start, chunk.stop)]
            held = None if done is None else Held(chunk.start, chunk.stop, tuple(mine), done)
            waits = False
            try:
                for part in mine:
                    part.write(self._data)
                    waits = self._claim(part, held if part is mine[-1] else None)
            finally:
                with self._state:
                    for part in mine:
                        self._writing = self._writing.remove(part.start, part.stop)
            if done is None:
                self._advance(mine)
            elif not waits:
                done()

    def hash_due(self) -> bool:
        """Whether `hash_on` has something to do that no thread does; it is expected to be begun."""
        with self._state:
            due = bool(self._held) and not self._hasher_due
            self._hasher_due = self._hasher_due or due
            return due

    def hash_on(self) -> None:
        """Hash what waits in memory until nothing does, beside further writes."""
        with self._gate.shared():
            try:
                while self._hashable():
                    with self._hashing:
                        self._hash_contiguous(())
            except (OSError, Corrupt):  # `verify` will meet it again
                self._drop_held()

    def catch_up(self, limit: int) -> bool:
        """Hash at most `limit` bytes that are there already; whether there is more to do."""
        with self._gate.alone():
            end = self.written.contiguous_end(self.front)
            self._frontier.read_back(min(end, self.front + limit))
            return self.front < end

    def verify(self) -> bool:
        """Whether all bytes of the known size are there and are what the digest names.

        Beside a `sync`: readers wait for this at the end of their blob, and a disk may take long.
        """
        with self._gate.shared(), self._hashing:
            self._check_usable()
            return self._is_proved()

    def commit(self) -> None:
        """Make it a blob, durably; Corrupt when it is not proved. Closes the files."""
        with self._gate.alone():
            target = self._layout.blob(self.digest)
            if self._path == target:
                return
            self._check_usable()
            if not self._is_proved():
                raise Corrupt(f"{self.digest}: not what was downloaded")
            os.fchmod(self._data, self.mode)
            self._fsync_data()
            with self._state:
                # The name in the old directory need not be durable: should it come back after a
                # power cut it is the same file, whole, and the sweep removes the download.
                place(self._path, target)
                self._path = target
            self._close()
            remove_partial(self._directory)

    def reset(self) -> None:
        """Forget everything, the size too; readers see the file shrink."""
        with self._gate.alone():
            self._check_open()
            self._restart(Trusted())
            os.ftruncate(self._data, 0)
            self._failed = False

    def forget(self, start: int, stop: int) -> None:
        """Forget [start, stop), durably; rewinds the hash by reading what is before it."""
        with self._gate.alone():
            self._check_usable()
            with self._state:
                self.written = self.written.remove(start, stop)
                self._journal.append(Record(Kind.DROP, start, stop))
            self._journal.fsync()
            if start < stop:
                self._drop_held()
                self._frontier.rewind(start)

    def discard(self) -> None:
        """Remove it from the disk and close the files; nothing to do once they are closed."""
        with self._gate.alone():
            if self._open:
                self._close()
                remove_partial(self._directory)

    def close(self) -> None:
        """Keep it, as durable as can be, for a later resume; safe to call twice."""
        with self._gate.alone():
            stale = self._unsynced or self.size != self._journaled_size
            if self._open and stale and not self._failed:
                # failing costs only what a power cut would have cost: later trust
                with contextlib.suppress(OSError):
                    self._sync()
            self._close()

    def abandon(self) -> None:
        """Close the files and do nothing more: as good as dying, but quick."""
        with self._gate.alone():
            self._close()

    def open_reader(self) -> BinaryIO:
        """Open the file for reading, wherever it is by now."""
        with self._state:
            file = open_regular(self._path)
        if file is None:
            raise StoreError(f"{self.digest}: its file was replaced by something else")
        return file

    def _reserve(self, start: int, stop: int) -> tuple[Interval, ...]:
        with self._state:
            taken = self.written
            for interval in self._writing:
                taken = taken.add(*interval)
            mine = taken.missing(start, stop)
            for interval in mine:
                self._writing = self._writing.add(*interval)
            return mine

    def _claim(self, part: Chunk, held: Held | None) -> bool:
        """Whether `held` waits in memory: there is no gap before it that would be filled later."""
        with self._state:
            self._note_size()
            self._journal.append(Record(Kind.DATA, part.start, part.stop))
            self.written = self.written.add(part.start, part.stop)
            self._unsynced += part.stop - part.start
            waits = held is not None and self.written.contiguous_end(self.front) >= held.stop
            if held is not None and waits:
                self._held.append(held)
            return waits

    def _hashable(self) -> bool:
        with self._state:
            there = self._open and self.written.contiguous_end(self.front) > self.front
            self._hasher_due = there
            return there

    def _pick(self) -> Held | None:
        """Take what waits in memory and comes next, or is hashed already."""
        with self._state:
            for held in self._held:
                if held.start <= self.front:
                    self._held.remove(held)
                    return held
            return None

    def _drop_held(self) -> None:
        with self._state:
            dropped, self._held, self._hasher_due = self._held, [], False
        for held in dropped:
            held.done()

    def _note_size(self) -> None:
        size = self.size
        if size is not None and size != self._journaled_size:
            self._journal.append(Record(Kind.SIZE, size))
            self._journaled_size = size

    def _advance(self, mine: Sequence[Chunk]) -> None:
        while self.front in self.written and self._hashing.acquire(blocking=False):
            try:
                self._hash_contiguous(mine)
            finally:
                self._hashing.release()

    def _hash_contiguous(self, mine: Sequence[Chunk]) -> None:
        while True:
            if (held := self._pick()) is not None:
                try:
                    self._hash_up_to(held.stop, held.parts)
                finally:
                    held.done()
            elif (end := self.written.contiguous_end(self.front)) > self.front:
                self._hash_up_to(min(end, self.front + PIECE_BYTES), mine)
            else:
                return

    def _hash_up_to(self, stop: int, known: Sequence[Chunk]) -> None:
        """Hash bytes that are in the file, from memory where they are `known`."""
        while (at := self.front) < stop:
            part = next((part for part in known if part.start <= at < part.stop), None)
            if part is not None:
                self._frontier.absorb(part.cut(at, part.stop).buffers)
            else:
                self._frontier.read_back(min([stop, *(p.start for p in known if p.start > at)]))

    @property
    def sync_due(self) -> bool:
        """Whether so much has been written since the last `sync` that it should be made durable."""
        return not self._syncing and self._durable.due(self._unsynced, self._synced_at)

    def sync(self) -> None:
        """Make durable what is there, beside further writes; nothing to do when it is not due.

        A writer does not wait: fsync takes as long as the disk likes, and trust after a power cut
        can come later than the bytes. A failure is told in the log.
        """
        with self._gate.shared():
            with self._state:
                if not self._open or self._failed or not self.sync_due:
                    return
                self._syncing = True
            try:
                self._sync()
            except OSError as error:
                log.warning("partial.not_synced", digest=str(self.digest), reason=str(error))
            finally:
                self._syncing = False
                self._synced_at = time.monotonic()

    def _sync(self) -> None:
        with self._state:
            self._note_size()
            covered, unsynced = self._journal.records, self._unsynced
        self._fsync_data()
        if not self._reachable:
            # every name on the way there: any of them may be new
            for directory in (self._directory, *self._directory.parents[:3]):
                fsync_directory(directory)
            self._reachable = True
        with self._state:
            self._journal.append(Record(Kind.SYNC, covered))
        self._journal.fsync()
        with self._state:
            self._unsynced -= unsynced

    def _fsync_data(self) -> None:
        """After a failed fsync the kernel counts the lost pages as clean: never ask it again."""
        try:
            os.fsync(self._data)
        except OSError:
            self._failed = True
            raise

    def _restart(self, trusted: Trusted) -> None:
        self._drop_held()
        self._journal.close()
        try:
            self._journal = Journal.start(self._map, trusted, self._boot)
        except BaseException:
            os.close(self._data)
            self._open = False
            raise
        self.size = self._journaled_size = trusted.size
        self.written = trusted.written
        self._unsynced = 0
        self._frontier = Frontier(self.digest, self._data)

    def _is_proved(self) -> bool:
        # a write that failed half-way may have claimed bytes and left them unhashed
        self._hash_contiguous(())
        return (
            self.size is not None
            and self.front == self.written.total == self.size
            and os.fstat(self._data).st_size == self.size
            and self._frontier.proved
        )

    def _check_open(self) -> None:
        if not self._open:
            raise StoreError(f"{self.digest}: the partial file is closed")

    def _check_usable(self) -> None:
        self._check_open()
        if self._failed:
            raise StoreError(f"{self.digest}: an earlier write to the disk was lost")

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._drop_held()
            self._journal.close()
            os.close(self._data)
