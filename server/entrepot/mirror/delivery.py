"""Where the bytes of transfers go: into the partial file, and into the account of who sent what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from entrepot.metrics import Metrics
from entrepot.mirror.contributions import Contributions
from entrepot.mirror.destination import Destination, Receive
from entrepot.mirror.plan import MIB, Transfer
from entrepot.mirror.source import Source
from entrepot.store.rangeset import EMPTY, Interval
from entrepot.upstream.piece import Piece

SKIPPED_BYTES = MIB
"""A transfer that meets so many bytes that are there already breaks off instead of reading on."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Of one fetch; transfers are moved on by what was taken. Methods raise StoreError."""

    partial: Destination
    contributions: Contributions
    metrics: Metrics

    async def write(self, source: Source, transfer: Transfer, piece: Piece) -> None:
        """Take a piece that is in memory."""
        count = len(piece)
        start, stop = transfer.at, transfer.at + count
        new = self.partial.written.missing(start, stop)
        await self.partial.write(start, piece.buffers, piece.done)
        transfer.at = stop
        for begin, end in new:
            self.contributions.add(begin, end, source.name)
        self.metrics.fetched(source.client.registry, source.name, count)

    async def receive(self, source: Source, transfer: Transfer, receive: Receive) -> int:
        """Take what `receive` gives on the thread that writes it; tell how many bytes it was.

        Also when it is cancelled or fails: what is written has a sender, and nothing else has.
        """
        start, count = transfer.at, 0
        new = self.partial.written.missing(start, transfer.stop)

        def counting() -> tuple[memoryview, Callable[[], None]]:
            nonlocal count
            data, done = receive()
            count += len(data)
            return data, done

        try:
            await self.partial.write_from(start, counting)
        finally:
            transfer.at = start + count
            for begin, end in self._written(new, transfer.at):
                self.contributions.add(begin, end, source.name)
        self.metrics.fetched(source.client.registry, source.name, count)
        return count

    def _written(self, new: Iterable[Interval], stop: int) -> Iterator[Interval]:
        """Of the intervals that were `new`, what is there now, up to `stop`."""
        for begin, end in new:
            last = max(begin, min(end, stop))
            there = EMPTY.add(begin, last)
            for gap in self.partial.written.missing(begin, last):
                there = there.remove(*gap)
            yield from there

    def overlaps(self, transfer: Transfer) -> bool:
        """Whether what comes next is there already, and too much of it to be read for nothing."""
        end = min(self.partial.written.contiguous_end(transfer.at), transfer.stop)
        return end - transfer.at >= min(SKIPPED_BYTES, transfer.left) and end > transfer.at
