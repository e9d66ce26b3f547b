"""Blobs on their way out: nobody may put them back before they are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from entrepot.oci.digest import Digest


class Removals:
    """Which digests are being removed now; lives on the loop."""

    def __init__(self) -> None:
        self._leaving: dict[Digest, asyncio.Event] = {}

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._leaving

    @contextmanager
    def of(self, digests: Collection[Digest]) -> Iterator[None]:
        """Let everybody who wants to put one of `digests` wait until the block ends.

        One that another removal has in hand stays with that one as well.
        """
        over = asyncio.Event()
        before = {digest: self._leaving.get(digest) for digest in digests}
        self._leaving |= dict.fromkeys(digests, over)
        try:
            yield
        finally:
            for digest, other in before.items():
                if other is not None and not other.is_set():
                    self._leaving[digest] = other
                elif self._leaving.get(digest) is over:
                    del self._leaving[digest]
            over.set()

    async def settled(self, digest: Digest) -> None:
        """Return when `digest` is not, or no more, being removed."""
        while (leaving := self._leaving.get(digest)) is not None:
            await leaving.wait()
