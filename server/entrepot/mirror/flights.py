"""One piece of work per key at a time; everybody who asks meanwhile gets its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from entrepot.tasks import TaskOwner

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Flights(Generic[K, T]):
    """Work that nobody's request owns: a caller that is cancelled takes nothing with it (P17).

    Every waiter receives the value or the same exception (P18).
    """

    def __init__(self, owner: TaskOwner, name: str) -> None:
        self._owner = owner
        self._name = name
        self._flights: dict[K, asyncio.Future[T]] = {}
        self._tasks: dict[K, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def interrupt(self, error: Exception) -> None:
        """Stop the work in progress; everybody who waits for it gets `error`."""
        running = list(self._tasks.items())
        for key, task in running:
            if not self._flights[key].done():
                self._flights[key].set_exception(error)
            task.cancel()
        if running:
            await asyncio.wait([task for _, task in running])

    async def join(self, key: K, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The outcome of the running flight for `key`, or of one started now with `work`."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.get_running_loop().create_future()
            flight.add_done_callback(_retrieve)
            self._flights[key] = flight
            task = self._owner.start(self._fly(flight, work), name=f"{self._name} {key}")
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._land(key, flight))
        return await asyncio.shield(flight)

    async def _fly(
        self, flight: asyncio.Future[T], work: Callable[[], Coroutine[Any, Any, T]]
    ) -> None:
        try:
            result = await work()
        except Exception as error:  # noqa: BLE001 - it is every waiter's, whatever it is
            if not flight.done():
                flight.set_exception(error)
        else:
            if not flight.done():
                flight.set_result(result)

    def _land(self, key: K, flight: asyncio.Future[T]) -> None:
        """End of the task, even of one cancelled before it ran a single step."""
        del self._flights[key], self._tasks[key]
        if not flight.done():
            flight.cancel()


def _retrieve(flight: asyncio.Future[T]) -> None:
    """Mark the exception as seen: with all waiters gone nobody else will."""
    if not flight.cancelled():
        flight.exception()
