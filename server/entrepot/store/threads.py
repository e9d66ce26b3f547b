"""The threads on which all disk work runs, and the edge where OSError becomes StoreError."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from entrepot.errors import DiskFull, StoreError

T = TypeVar("T")

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def disk_error(error: OSError) -> StoreError:
    """Translate what the operating system said about the disk; the path is in the message."""
    kind = DiskFull if error.errno in _FULL else StoreError
    return kind(str(error))


class DiskThreads:
    """A pool of threads for disk work, apart from the loop's own pool.

    The loop's pool also resolves names, and a slow fsync must not hold up a cached blob: the
    store has one pool for hits and one for everything that writes.
    """

    def __init__(self, name: str, workers: int) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix=name)

    async def run(self, work: Callable[[], T], *, undo: Callable[[T], None] | None = None) -> T:
        """Do `work` in a thread; OSError from it arrives as StoreError, as does coming too late.

        A cancelled caller gets its CancelledError only when `work` has ended, or has been taken
        back before it began: no thread is ever at work for somebody who has left. `undo` then
        takes the result that nobody will see (on the loop; it must be quick).
        """
        future = self._submit(work)
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        # Not `wrap_future`: that takes two turns of the loop more, at every piece of a blob.
        future.add_done_callback(lambda _: _tell(loop, ended))
        try:
            await ended
        except asyncio.CancelledError:
            if not future.cancel():
                await _ended(result := asyncio.wrap_future(future))
                _ = result.exception()  # nobody is left to hear of it
                if undo is not None and future.exception() is None:
                    undo(future.result())
            raise
        try:
            return future.result()
        except OSError as error:
            raise disk_error(error) from error

    async def finish(self, work: Callable[[], None]) -> None:
        """As `run`, for `work` that gives something back: it is done, whoever leaves meanwhile.

        What nobody has begun when its caller is cancelled is not taken back, but waited for.
        """
        done = asyncio.wrap_future(self._submit(work))
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError:
            await _ended(done)
            _ = done.exception()  # nobody is left to hear of it
            raise
        except OSError as error:
            raise disk_error(error) from error

    def begin(self, work: Callable[[], None]) -> None:
        """Do `work` in a thread some time; it keeps its own account of what went wrong.

        `aclose` waits for it.
        """
        self._executor.submit(work)

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        try:
            return self._executor.submit(work)
        except RuntimeError as error:
            raise StoreError("the store is closed") from error

    async def aclose(self) -> None:
        """Wait for running work and end the threads; safe to call twice."""
        await asyncio.to_thread(self._executor.shutdown)


def _tell(loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
    """Wake who waits for `ended`; a loop that is gone has nobody waiting."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_wake, ended)


def _wake(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


async def _ended(result: asyncio.Future[T]) -> None:
    """Wait for `result`, whatever it is; further cancellation changes nothing.

    The caller re-raises the first one.
    """
    while not result.done():
        try:
            await asyncio.wait([result])
        except asyncio.CancelledError:
            continue
