"""What a `Fetch` brings bytes to: a partial file, or a window of memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from entrepot.store.rangeset import RangeSet

Buffer = bytes | bytearray | memoryview
Receive = Callable[[], tuple[memoryview, Callable[[], None]]]


class Destination(Protocol):
    """The bytes of one blob as far as they are there; read on the loop at any moment."""

    @property
    def size(self) -> int | None:
        """Length of the whole, once somebody said it."""

    @size.setter
    def size(self, size: int) -> None: ...

    @property
    def written(self) -> RangeSet:
        """Which bytes need not be fetched any more."""

    @property
    def front(self) -> int:
        """How many bytes from 0 on are there and hashed."""

    async def write(
        self,
        offset: int,
        data: Buffer | Sequence[Buffer],
        done: Callable[[], None] | None = None,
    ) -> None:
        """Take bytes; returns when more may come. Raises StoreError.

        `done` is called when their memory is not needed any more; never when this raises.
        """

    async def write_from(self, offset: int, receive: Receive) -> int:
        """Take the bytes that `receive` has, on the thread that it is called on; tell how many.

        `receive` gives the bytes and what is to be called when their memory is not needed any
        more. Otherwise as `write`.
        """
