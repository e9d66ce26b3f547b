"""What a fake registry was asked, in the order it was asked, and what it gave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from multidict import CIMultiDictProxy


@dataclass(slots=True)
class Recorded:
    """One request. `status` is 0 until an answer has begun; `bytes_sent` counts body bytes so far.

    `path` and `query` are as they came over the wire, escapes and all; `at_s` is the loop's clock.
    Redirects and token requests are requests like any other. `done` once nothing more is sent.
    """

    method: str
    path: str
    query: str
    headers: CIMultiDictProxy[str]
    connection_id: int
    at_s: float
    status: int = 0
    bytes_sent: int = 0
    done: bool = False

    @property
    def target(self) -> str:
        """Path and query, as sent."""
        return f"{self.path}?{self.query}" if self.query else self.path


class Journal:
    """The requests, and a way to wait for them without sleeping."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self._changed = asyncio.Event()

    def add(self, request: Recorded) -> None:
        self.requests.append(request)
        self.note()

    def note(self) -> None:
        """Wake whoever waits: something in a request has changed."""
        self._changed.set()

    async def until(self, condition: Callable[[list[Recorded]], bool], timeout_s: float) -> None:
        """Return once `condition(requests)`; TimeoutError, with the journal in it, if never."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition(self.requests):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            seen = "\n".join(f"{one.method} {one.target} {one.status}" for one in self.requests)
            raise TimeoutError(f"waited {timeout_s} s; requests so far:\n{seen}") from None
