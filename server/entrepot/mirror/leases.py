"""What somebody is working with now, and so must not go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from entrepot.oci.digest import Digest


@dataclass(slots=True)
class Lease:
    """One use of one blob; ends with `release`, which may be called more than once."""

    digest: Digest
    _ended: Callable[[Lease], None] | None

    def release(self) -> None:
        """Need it no more."""
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(self)


@dataclass(slots=True)
class Leases:
    """Counts who uses which blob; `used` hears of the end of each use. Lives on the loop."""

    used: Callable[[Digest], None] = lambda _: None
    _counts: dict[Digest, int] = field(default_factory=dict)
    _idle: dict[Digest, asyncio.Event] = field(default_factory=dict)

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._counts

    def __len__(self) -> int:
        return len(self._counts)

    def take(self, digest: Digest) -> Lease:
        """Begin a use. Take it before the first await, or what is wanted may go meanwhile."""
        self._counts[digest] = self._counts.get(digest, 0) + 1
        return Lease(digest, self._released)

    def digests(self) -> set[Digest]:
        """What is in use at this moment."""
        return set(self._counts)

    async def idle(self, digest: Digest) -> None:
        """Return when nobody uses `digest`; there is no await between that and the return."""
        while digest in self._counts:
            await self._idle.setdefault(digest, asyncio.Event()).wait()

    def _released(self, lease: Lease) -> None:
        digest = lease.digest
        self._counts[digest] -= 1
        self.used(digest)
        if not self._counts[digest]:
            del self._counts[digest]
            if (idle := self._idle.pop(digest, None)) is not None:
                idle.set()
