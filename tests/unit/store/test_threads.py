from __future__ import annotations

import asyncio
import errno
import gc
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from entrepot.errors import DiskFull, StoreError
from entrepot.store.threads import DiskThreads, disk_error


@pytest.fixture
async def threads() -> AsyncIterator[DiskThreads]:
    threads = DiskThreads("test-disk", 1)
    yield threads
    await threads.aclose()


async def started(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 30)


@asynccontextmanager
async def occupied(threads: DiskThreads) -> AsyncIterator[threading.Event]:
    """The only thread is busy until the event is set; at the end of the block it is free."""
    begun, go = threading.Event(), threading.Event()

    def occupy() -> None:
        begun.set()
        go.wait(30)

    async with asyncio.TaskGroup() as group:
        group.create_task(threads.run(occupy))
        await started(begun)
        yield go


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_and_no_quota_are_a_full_disk(number: int) -> None:
    assert isinstance(disk_error(OSError(number, os.strerror(number))), DiskFull)


def test_any_other_disk_error_keeps_its_path() -> None:
    error = disk_error(OSError(errno.EIO, "Input/output error", "cache/blobs"))
    assert type(error) is StoreError
    assert "cache/blobs" in str(error)


async def test_work_runs_in_a_thread_of_the_pool(threads: DiskThreads) -> None:
    name = await threads.run(lambda: threading.current_thread().name)
    assert name.startswith("test-disk")


async def test_oserror_is_translated_and_kept_as_the_cause(threads: DiskThreads) -> None:
    with pytest.raises(StoreError) as caught:
        await threads.run(lambda: Path("/nonexistent/cache").stat())
    assert isinstance(caught.value.__cause__, FileNotFoundError)


async def test_other_errors_pass_unchanged(threads: DiskThreads) -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await threads.run(fail)


async def test_cancelled_caller_leaves_only_when_the_work_has_ended(threads: DiskThreads) -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        go.wait(30)
        ended.set()
        return "result"

    undone: list[str] = []
    async with asyncio.TaskGroup() as group:
        task = group.create_task(threads.run(work, undo=undone.append))
        await started(begun)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go.set()
    assert task.cancelled()
    assert ended.is_set()
    assert undone == ["result"]


async def test_failure_of_abandoned_work_is_not_reported(threads: DiskThreads) -> None:
    begun, go = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(30)
        raise OSError(errno.EIO, "too late")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(threads.run(work))
        await started(begun)
        task.cancel()
        await asyncio.sleep(0)
        go.set()
    assert task.cancelled()


async def test_work_that_has_not_begun_is_taken_back(threads: DiskThreads) -> None:
    ran: list[str] = []
    async with asyncio.TaskGroup() as group, occupied(threads) as go:
        task = group.create_task(threads.run(lambda: ran.append("second")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        go.set()
    assert task.cancelled()
    assert ran == []


async def test_work_that_gives_something_back_is_done_whoever_leaves(threads: DiskThreads) -> None:
    ran: list[str] = []
    async with asyncio.TaskGroup() as group, occupied(threads) as go:
        task = group.create_task(threads.finish(lambda: ran.append("closed")))
        for _ in range(3):
            await asyncio.sleep(0)
            task.cancel()
        assert not task.done()
        go.set()
    assert task.cancelled()
    assert ran == ["closed"]


async def test_what_fails_to_give_something_back_tells(threads: DiskThreads) -> None:
    def fail() -> None:
        raise OSError(errno.EIO, "lost")

    with pytest.raises(StoreError, match="lost"):
        await threads.finish(fail)
    await threads.aclose()
    with pytest.raises(StoreError, match="closed"):
        await threads.finish(lambda: None)


async def test_threads_are_gone_after_close(threads: DiskThreads) -> None:
    await threads.run(lambda: None)
    await threads.aclose()
    await threads.aclose()
    assert not [t for t in threading.enumerate() if t.name.startswith("test-disk")]


async def test_a_failure_that_comes_after_its_caller_has_left_is_nobodys(
    threads: DiskThreads,
) -> None:
    """Else the loop would complain that nobody has heard of it, which fails this test."""
    began, go_on = threading.Event(), threading.Event()

    def fail() -> None:
        began.set()
        go_on.wait(10)
        raise ValueError("too late")

    task = asyncio.get_running_loop().create_task(threads.run(fail))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait([task])
    assert task.cancelled()
    del task
    gc.collect()
