"""What is kept in memory of manifests: the bytes of the recent ones, and recent absences."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from entrepot.errors import ManifestUnknown
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest

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


class NegativeCache:
    """Absences that every mirror confirmed, for a short time (F-9). `now` is any one clock."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._absent: OrderedDict[Hashable, tuple[float, ManifestUnknown]] = OrderedDict()

    def put(self, key: Hashable, error: ManifestUnknown, until: float) -> None:
        """Remember `error` as the answer for `key` up to `until`.

        A copy: the original is raised, and holds on to every frame that it passes.
        """
        self._absent[key] = (until, ManifestUnknown(str(error), error.attempts))
        while len(self._absent) > self._capacity:
            self._absent.popitem(last=False)

    def get(self, key: Hashable, now: float) -> ManifestUnknown | None:
        """The remembered error, if it still holds."""
        known = self._absent.get(key)
        if known is None:
            return None
        until, error = known
        if until <= now:
            del self._absent[key]
            return None
        return error
