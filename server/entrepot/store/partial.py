"""A download in progress: one fill writes it, any number of readers read it as it grows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import BinaryIO

from entrepot.oci.digest import Digest, Hasher
from entrepot.store.chunk import Chunk
from entrepot.store.draft import Draft
from entrepot.store.layout import BLOB_MODE, PRIVATE_BLOB_MODE, is_public
from entrepot.store.rangeset import RangeSet
from entrepot.store.threads import DiskThreads

Buffer = bytes | bytearray | memoryview
Receive = Callable[[], tuple[memoryview, Callable[[], None]]]

_CATCH_UP_BYTES = 8 << 20
_LARGE_BYTES = 256 << 10
"""Less is hashed sooner than it is handed to another thread."""
_RUN_BYTES = 8 << 20


class Partial:
    """The file of one digest being filled; from `BlobStore.begin`, owned by one fill.

    Properties are plain memory and may be read on the loop at any moment. Methods work in
    threads and raise StoreError or DiskFull; cancelled, they end what they began and then raise
    CancelledError, so that the properties never claim bytes that are not there.
    """

    def __init__(
        self,
        draft: Draft,
        reads: DiskThreads,
        writes: DiskThreads,
        ended: Callable[[], None],
        settled: Callable[[], Awaitable[None]],
    ) -> None:
        """`ended` is called once; `settled` returns when nobody is removing the blob."""
        self._draft = draft
        self._reads = reads
        self._writes = writes
        self._ended = ended
        self._settled = settled

    def __repr__(self) -> str:
        return (
            f"<Partial {self.digest} {self.front} hashed,"
            f" {self.written.total} of {self.size} bytes>"
        )

    @property
    def digest(self) -> Digest:
        """What the bytes will be."""
        return self._draft.digest

    @property
    def public(self) -> bool:
        """Whether it will be for everybody once it is whole; may be changed until `commit`."""
        return is_public(self._draft.mode)

    @public.setter
    def public(self, public: bool) -> None:
        self._draft.mode = BLOB_MODE if public else PRIVATE_BLOB_MODE

    @property
    def written(self) -> RangeSet:
        """The bytes that are in the file, readable by everybody; a new value after each write."""
        return self._draft.written

    @property
    def front(self) -> int:
        """How many bytes from 0 are in the file and hashed: all readers may go this far (T-3)."""
        return self._draft.front

    @property
    def lost(self) -> bool:
        """Whether a write to the disk was lost: what is in the file may change under readers."""
        return self._draft.failed

    @property
    def size(self) -> int | None:
        """Length of the whole in bytes, once somebody said it; kept across restarts.

        Setting it does no I/O: it goes to the disk with the next bytes. ValueError when bytes
        past it are there already.
        """
        return self._draft.size

    @size.setter
    def size(self, size: int) -> None:
        if size < self.written.end:
            raise ValueError(f"{self.digest}: size {size}, but {self.written.end} bytes are there")
        self._draft.size = size

    async def write(
        self,
        offset: int,
        data: Buffer | Sequence[Buffer],
        done: Callable[[], None] | None = None,
    ) -> None:
        """Write at `offset`, claim, and hash as far as the file is contiguous.

        With `done` the hash may follow later, from the same memory: `done` is called, on some
        thread, when it is not needed any more; never when this raises. Calls for different offsets
        run in parallel. Bytes that are there already are left as they are (`forget` them first).
        ValueError past `size`.
        """
        parts = [data] if isinstance(data, bytes | bytearray | memoryview) else data
        chunk = Chunk(offset, tuple(memoryview(part).cast("B") for part in parts if len(part)))
        later = done if chunk.stop - chunk.start >= _LARGE_BYTES else None
        if chunk.buffers:
            await self._writes.run(lambda: self._draft.write(chunk, later))
            self._begin_what_is_due(hashing=later is not None)
        if done is not None and later is None:
            done()

    async def write_from(self, offset: int, receive: Receive) -> int:
        """Write what `receive` gives, on the thread that calls it; tell how many bytes it was.

        `receive` returns the bytes, and what is to be called when their memory is not needed any
        more. The hash may follow later, as with `write`.
        """
        return await self._writes.run(lambda: self._write_received(offset, receive))

    def _write_received(self, offset: int, receive: Receive) -> int:
        """More than one piece at a time: a turn of the loop in between takes as long as one."""
        at = offset
        while at - offset < _RUN_BYTES:
            data, done = receive()
            later = done if len(data) >= _LARGE_BYTES else None
            if data:
                self._draft.write(Chunk(at, (data,)), later)
                at += len(data)
            if later is None:
                done()
            self._begin_what_is_due(hashing=later is not None)
            if not data:
                break
        return at - offset

    def _begin_what_is_due(self, *, hashing: bool) -> None:
        """Have other threads hash, if something waits for that, and make durable what should be."""
        if hashing and self._draft.hash_due():
            self._writes.begin(self._draft.hash_on)
        if self._draft.sync_due:
            self._writes.begin(self._draft.sync)

    async def hashed(self) -> tuple[int, Hasher]:
        """Return `front`, and a hash of the bytes up to it that goes on for itself."""
        return await self._writes.run(self._draft.hashed)

    async def verify(self) -> bool:
        """Whether `size` is known, all of it is there and it is what the digest names."""
        return await self._writes.run(self._draft.verify)

    async def commit(self) -> None:
        """Make it a blob that outlives a power cut; nothing to do when that is done already.

        Corrupt, and nothing changed, unless `verify()` holds. Open readers go on reading the same
        file. Ends this object, as `aclose` does.
        """
        await self._settled()
        await self._writes.run(self._draft.commit)
        self._ended()

    async def reset(self) -> None:
        """Wrong bytes: cut the file to nothing and forget all of it, `size` too."""
        await self._writes.run(self._draft.reset)

    async def forget(self, start: int, stop: int) -> None:
        """Forget [start, stop), which was wrong; costs reading everything before it."""
        await self._writes.run(lambda: self._draft.forget(start, stop))

    async def discard(self) -> None:
        """Remove it from the disk; nothing to do after `commit` or `aclose`. Safe to call twice."""
        try:
            if self._draft.is_open:
                await self._writes.finish(self._draft.discard)
        finally:
            self._ended_if_closed()

    async def aclose(self) -> None:
        """Keep it on the disk for a later `begin`; safe to call twice and after `commit`."""
        try:
            if self._draft.is_open:
                await self._writes.finish(self._draft.close)
        finally:
            self._ended_if_closed()

    def _ended_if_closed(self) -> None:
        """Also after a failure; files that are still open are the store's to close."""
        if not self._draft.is_open:
            self._ended()

    async def open_reader(self) -> BinaryIO:
        """Open the file for reading, unbuffered; the caller closes it.

        Stays readable after `commit` and `discard`. Bytes past `front` may be holes or wrong.
        """
        return await self._reads.run(self._draft.open_reader, undo=lambda file: file.close())

    async def catch_up(self) -> None:
        """Hash what an earlier process left; `BlobStore.begin` has done this."""
        while await self._writes.run(lambda: self._draft.catch_up(_CATCH_UP_BYTES)):
            pass
