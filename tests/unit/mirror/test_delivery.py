"""Bytes of transfers into a real partial file, and who is said to have sent them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from entrepot.errors import DiskFull
from entrepot.mirror.contributions import Contributions
from entrepot.mirror.delivery import SKIPPED_BYTES, Delivery
from entrepot.mirror.plan import Transfer
from entrepot.mirror.source import Source
from entrepot.oci.digest import Digest
from entrepot.store.partial import Partial
from entrepot.store.rangeset import RangeSet
from entrepot.upstream.piece import Piece
from failingdisk import fill_for_a_while
from fakes.images import blob
from mirroring import mirroring

DATA = blob(4 << 20, "delivery")
DIGEST = Digest.of(DATA)


@dataclass(frozen=True, slots=True)
class Delivering:
    """A delivery and what it works on."""

    delivery: Delivery
    partial: Partial
    contributions: Contributions
    source: Source
    data: Path


@asynccontextmanager
async def delivering(cache: Path) -> AsyncIterator[Delivering]:
    async with mirroring(cache, "http://127.0.0.1:1") as layer:
        partial = await layer.store.begin(DIGEST)
        partial.size = len(DATA)
        contributions = Contributions()
        yield Delivering(
            Delivery(partial, contributions, layer.metrics),
            partial,
            contributions,
            Source(layer.registry.mirrors[0]),
            layer.store.layout.partial(DIGEST) / "data",
        )
        await partial.discard()


@dataclass(slots=True)
class Socket:
    """Gives bytes out on the thread that asks, then none; `go` holds it up until it is set."""

    data: bytes
    go: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)
    given_back: int = 0

    def __call__(self) -> tuple[memoryview, Callable[[], None]]:
        self.asked.set()
        self.go.wait(10)
        data, self.data = self.data, b""
        return memoryview(data), self.back

    def back(self) -> None:
        self.given_back += 1


def ready(data: bytes) -> Socket:
    socket = Socket(data)
    socket.go.set()
    return socket


def transfer(at: int, stop: int = len(DATA)) -> Transfer:
    return Transfer("mirror0", at, stop, 0.0)


async def test_a_piece_is_written_and_its_sender_known(tmp_path: Path) -> None:
    async with delivering(tmp_path) as its:
        moving = transfer(1000)
        piece = Piece((DATA[1000:1500], memoryview(DATA)[1500:3000]))
        await its.delivery.write(its.source, moving, piece)
        assert moving.at == 3000
        assert its.partial.written == RangeSet(((1000, 3000),))
        assert its.contributions.of("mirror0") == [(1000, 3000)]
        assert (
            its.delivery.metrics.registry.get_sample_value(
                "entrepot_mirror_bytes_total", {"registry": "registry.example", "mirror": "mirror0"}
            )
            == 2000
        )


async def test_what_was_there_before_keeps_its_sender(tmp_path: Path) -> None:
    async with delivering(tmp_path) as its:
        await its.partial.write(2000, DATA[2000:3000])
        its.contributions.add(2000, 3000, "another")
        moving = transfer(1000)
        await its.delivery.write(its.source, moving, Piece((DATA[1000:4000],)))
        count = await its.delivery.receive(its.source, moving, ready(DATA[4000:5000]))
        assert (count, moving.at) == (1000, 5000)
        assert its.contributions.of("mirror0") == [(1000, 2000), (3000, 5000)]
        assert its.contributions.of("another") == [(2000, 3000)]


async def test_what_is_received_is_written_by_the_thread_that_received_it(tmp_path: Path) -> None:
    async with delivering(tmp_path) as its:
        moving, at = transfer(0), 0
        sockets = [ready(DATA[at : at + (1 << 20)]) for at in range(0, len(DATA), 1 << 20)]
        for socket in sockets:
            at += await its.delivery.receive(its.source, moving, socket)
            assert moving.at == at
        assert await its.partial.verify()
        assert {socket.given_back for socket in sockets} == {2}  # the bytes, and the nothing after
        assert its.contributions.of("mirror0") == [(0, len(DATA))]


async def test_nothing_received_moves_nothing(tmp_path: Path) -> None:
    async with delivering(tmp_path) as its:
        moving, socket = transfer(500), ready(b"")
        assert await its.delivery.receive(its.source, moving, socket) == 0
        assert (moving.at, its.contributions.of("mirror0"), socket.given_back) == (500, [], 1)


async def test_cancelled_in_the_middle_what_was_written_has_a_sender(tmp_path: Path) -> None:
    """Or nobody could be blamed for these bytes when the whole turns out to be wrong."""
    async with delivering(tmp_path) as its:
        moving, socket = transfer(0), Socket(DATA[:700_000])
        receiving = asyncio.get_running_loop().create_task(
            its.delivery.receive(its.source, moving, socket)
        )
        assert await asyncio.to_thread(socket.asked.wait, 10)
        receiving.cancel()
        await asyncio.sleep(0)
        assert not receiving.done()
        socket.go.set()
        await asyncio.wait([receiving])
        assert receiving.cancelled()
        assert its.partial.written == RangeSet(((0, 700_000),))
        assert moving.at == 700_000
        assert its.contributions.of("mirror0") == [(0, 700_000)]


async def test_what_a_full_disk_did_not_take_has_no_sender(tmp_path: Path) -> None:
    async with delivering(tmp_path) as its:
        moving = transfer(0)
        await its.delivery.receive(its.source, moving, ready(DATA[:1000]))
        mend = fill_for_a_while(its.data)
        with pytest.raises(DiskFull):
            await its.delivery.receive(its.source, moving, ready(DATA[1000:900_000]))
        with pytest.raises(DiskFull):
            await its.delivery.write(its.source, transfer(1000), Piece((DATA[1000:2000],)))
        mend()
        assert its.partial.written == RangeSet(((0, 1000),))
        assert its.contributions.of("mirror0") == [(0, 1000)]


@pytest.mark.parametrize(
    ("there", "at", "stop", "overlaps"),
    [
        ((0, 0), 0, len(DATA), False),
        ((0, SKIPPED_BYTES - 1), 0, len(DATA), False),
        ((0, SKIPPED_BYTES), 0, len(DATA), True),
        ((5000, 5000 + SKIPPED_BYTES), 4999, len(DATA), False),
        ((0, 20), 0, 20, True),
        ((0, 40), 20, 20, False),
    ],
    ids=["nothing", "too little", "much", "further on", "all of the rest", "at its end"],
)
async def test_what_is_there_already_is_not_read_on(
    tmp_path: Path, there: tuple[int, int], at: int, stop: int, *, overlaps: bool
) -> None:
    async with delivering(tmp_path) as its:
        await its.partial.write(there[0], DATA[slice(*there)])
        assert its.delivery.overlaps(transfer(at, stop)) is overlaps
