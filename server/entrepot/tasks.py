"""Every background task has an owner that can stop it and that hears of its failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog

T = TypeVar("T")

log = structlog.get_logger(__name__)


class TaskOwner:
    """Owns tasks that outlive the request that started them.

    `aclose` cancels what is left and waits for it. A task that dies of an exception is logged,
    whether somebody awaits it or not: what may fail as a matter of course catches that itself.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Run `work` now, owned here; RuntimeError once the owner is closing."""
        if self._closing:
            work.close()
            raise RuntimeError(f"{self._name} is closing")
        task = asyncio.get_running_loop().create_task(work, name=f"{self._name}: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task.died", task=task.get_name(), exc_info=error)

    async def settled(self) -> None:
        """Wait until the tasks that are here now have ended."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def cancel(self) -> None:
        """Cancel the tasks that are here now and wait until they have ended; others may follow."""
        running = set(self._tasks)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def aclose(self) -> None:
        """Cancel what is left and wait until all of it has ended; safe to call twice."""
        self._closing = True
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)


@asynccontextmanager
async def owned(name: str) -> AsyncIterator[TaskOwner]:
    """An owner for the length of a block."""
    owner = TaskOwner(name)
    try:
        yield owner
    finally:
        await owner.aclose()
