"""One order of images to be fetched ahead: how far it is, image by image."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from entrepot.oci.digest import Digest


class State(StrEnum):
    """How far an image is."""

    WAITING = "waiting"
    FETCHING = "fetching"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Order:
    """What to fetch: `platforms` such as linux/arm64; all that an image has when it is empty.

    The `extras` among the images are wanted and not required: nothing waits or fails for their
    sake. Without `patient` somebody waits, and while no mirror can be reached it ends soon.
    """

    images: tuple[str, ...]
    platforms: tuple[str, ...] = ()
    origin: str = "command"
    extras: frozenset[str] = frozenset()
    patient: bool = True


@dataclass(slots=True)
class Item:
    """One image. `parts` are the sizes of its blobs, -1 where nobody knows.

    `here` are those that are kept, `before` those that were when the job began. While it is
    RETRYING it is tried again after `rest_s`. `fetched_bytes` came from mirrors, without what an
    earlier download had left of a blob.
    """

    told: str
    name: str = ""
    state: State = State.WAITING
    digest: Digest | None = None
    reason: str = ""
    extra: bool = False
    rest_s: float | None = None
    tries: int = 0
    parts: dict[Digest, int] = field(default_factory=dict)
    here: set[Digest] = field(default_factory=set)
    before: set[Digest] = field(default_factory=set)
    fetched_bytes: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will be done for it."""
        return self.state in {State.DONE, State.FAILED}

    @property
    def bytes(self) -> int:
        """The blobs' sizes, added up, as far as they are known."""
        return sum(max(size, 0) for size in self.parts.values())


@dataclass(frozen=True, slots=True)
class Progress:
    """How far all of it is: bytes of blobs that were not here when it began, each counted once."""

    bytes: int
    bytes_total: int
    done: int
    failed: int
    images: int
    standing_back: bool


@dataclass(slots=True, eq=False)
class Job:
    """An order in progress, or one that has ended. Lives on the loop."""

    number: int
    order: Order
    began_at: float
    items: list[Item]
    standing_back: bool = False
    ended: bool = False
    cancelled: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def failed(self) -> list[Item]:
        """The images that did not come, and had to."""
        return [each for each in self.items if each.state is not State.DONE and not each.extra]

    def progress(self, coming: Iterable[tuple[Digest, int]] = ()) -> Progress:
        """Tell how far it is; `coming` are blobs in progress, with what is there of them."""
        before = {digest for item in self.items for digest in item.before}
        sizes = {
            digest: max(size, 0)
            for item in self.items
            for digest, size in item.parts.items()
            if digest not in before
        }
        here = {digest for item in self.items for digest in item.here}
        there = {digest: written for digest, written in coming if digest in sizes}
        brought = sum(size for digest, size in sizes.items() if digest in here)
        return Progress(
            bytes=brought + sum(n for digest, n in there.items() if digest not in here),
            bytes_total=sum(sizes.values()),
            done=sum(item.state is State.DONE for item in self.items),
            failed=sum(item.state is State.FAILED and not item.extra for item in self.items),
            images=len(self.items),
            standing_back=self.standing_back,
        )

    def tell(self) -> None:
        """Wake whoever waits for news."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def heard(self, patience_s: float) -> None:
        """Return at the next news, or after `patience_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._news.wait()
