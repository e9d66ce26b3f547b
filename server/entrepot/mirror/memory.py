"""What is kept in memory of manifests: the bytes of the recent ones, and what passes soon."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from entrepot.errors import Attempt, Exhausted
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest

V = TypeVar("V")

_CAPACITY_BYTES = 64 * 1024 * 1024
_OVERHEAD_BYTES = 512
"""Python's own for one entry, roughly: without it a million tiny manifests would look free."""


class ManifestMemory:
    """The most recently used manifests, within a number of bytes."""

    def __init__(self, capacity_bytes: int = _CAPACITY_BYTES) -> None:
        self._capacity = capacity_bytes
        self._held = 0
        self._manifests: OrderedDict[Digest, Manifest] = OrderedDict()

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._manifests

    def resize(self, capacity_bytes: int) -> None:
        """Hold no more than so many bytes from the next manifest on."""
        self._capacity = capacity_bytes

    def get(self, digest: Digest) -> Manifest | None:
        """The manifest; counts as a use."""
        manifest = self._manifests.get(digest)
        if manifest is not None:
            self._manifests.move_to_end(digest)
        return manifest

    def put(self, manifest: Manifest) -> None:
        """Hold `manifest`, letting the least recently used go."""
        self.drop(manifest.digest)
        self._manifests[manifest.digest] = manifest
        self._held += manifest.size + _OVERHEAD_BYTES
        while self._held > self._capacity and len(self._manifests) > 1:
            _, gone = self._manifests.popitem(last=False)
            self._held -= gone.size + _OVERHEAD_BYTES

    def drop(self, digest: Digest) -> None:
        """Let go of one manifest, if held."""
        gone = self._manifests.pop(digest, None)
        if gone is not None:
            self._held -= gone.size + _OVERHEAD_BYTES


class ForAWhile(Generic[V]):
    """At most `capacity` values, each up to a time of its own; `now` and `until` are any one clock.

    What is past its time goes when something is put: a burst of names that nobody asks for again
    does not stay for good.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._held: OrderedDict[Hashable, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def put(self, key: Hashable, value: V, now: float, until: float) -> None:
        """Hold `value` instead of what was held for `key`."""
        self._held.pop(key, None)
        self._held[key] = (until, value)
        # In the order they were put, which is nearly that in which they end.
        while self._held and (len(self._held) > self._capacity or self._first_ends() <= now):
            self._held.popitem(last=False)

    def get(self, key: Hashable, now: float) -> V | None:
        """The value, if its time has not come."""
        until, value = self._held.get(key, (now, None))
        return value if until > now else None

    def _first_ends(self) -> float:
        until, _ = next(iter(self._held.values()))
        return until


class NegativeCache:
    """Absences that every mirror confirmed, for a short time (F-9).

    Not the exceptions: one that was raised holds the frames it passed through, and with them the
    request it was an answer to.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._absent: ForAWhile[tuple[type[Exhausted], str, tuple[Attempt, ...]]]
        self._absent = ForAWhile(capacity)

    def __len__(self) -> int:
        return len(self._absent)

    def put(self, key: Hashable, error: Exhausted, now: float, until: float) -> None:
        """Remember what `error` says as the answer for `key` up to `until`."""
        self._absent.put(key, (type(error), str(error), error.attempts), now, until)

    def get(self, key: Hashable, now: float) -> Exhausted | None:
        """The same error anew, if it still holds."""
        known = self._absent.get(key, now)
        if known is None:
            return None
        kind, told, attempts = known
        return kind(told, attempts)
