"""How much there may be, and how much has to go: arithmetic on what is known at one moment."""

from __future__ import annotations

from dataclasses import dataclass

LOW_MARK = 0.9
_STEP_SHARE = 0.02
_LARGEST_SHARE_FREE = 0.1
_RESERVE_SHARE, _RESERVE_BYTES = 0.01, 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the cache, in bytes; None and 0 for none."""

    max_size: int | None = None
    min_free: int = 0

    @property
    def for_blobs(self) -> int | None:
        """What blobs may come to: the rest is for manifests, which then need not wait."""
        if self.max_size is None:
            return None
        return self.max_size - min(int(self.max_size * _RESERVE_SHARE), _RESERVE_BYTES)


def free_wanted(min_free: int, disk_size: int) -> int:
    """Tell what to leave free on a disk: a small one is not emptied for nothing."""
    return min(min_free, int(disk_size * _LARGEST_SHARE_FREE))


@dataclass(frozen=True, slots=True)
class Usage:
    """What is on the disk and what is on its way there, in bytes.

    `kept` is below blobs/, `left` are downloads that broke off, `coming` the whole sizes of those
    in progress and `unwritten` what is missing of them. `waiting` is whole and may not be kept yet.
    `demanded` is what somebody wants freed, whatever the limits are. `free` and `disk` are the file
    system's; None when nobody has looked.
    """

    kept: int = 0
    left: int = 0
    coming: int = 0
    unwritten: int = 0
    waiting: int = 0
    demanded: int = 0
    free: int | None = None
    disk: int = 0

    def over(self, limits: Limits) -> int:
        """Tell by how much what there is, and what is coming, is too much; 0 or less is well."""
        return max(self._over_size(limits, 1.0), self._over_disk(limits, 0.0), self.demanded)

    def to_low_mark(self, limits: Limits) -> int:
        """Tell what has to go before there is a tenth to spare."""
        return max(self._over_size(limits, LOW_MARK), self._over_disk(limits, 0.1), self.demanded)

    def beyond(self, limits: Limits) -> int:
        """Tell what must go, be it in use lately: something waits for it, or a limit is broken.

        A little more than that, or there would be a pass for each blob that waits.
        """
        over = max(self._waiting_over(limits), self._over_disk(limits, 0.0, unwritten=False))
        if over > 0:
            over += int(_STEP_SHARE * (limits.max_size or 0))
        return max(over, self.demanded)

    def _waiting_over(self, limits: Limits) -> int:
        most = limits.for_blobs if self.waiting else limits.max_size
        return self.kept + self.waiting - most if most is not None else 0

    def reason(self, limits: Limits) -> str:
        """Say which of the limits it is."""
        if self._over_size(limits, 1.0) > 0:
            return "max_size"
        if self._over_disk(limits, 0.0) > 0:
            return "min_free"
        return "asked for" if self.demanded else "low mark"

    def _over_size(self, limits: Limits, mark: float) -> int:
        if limits.max_size is None:
            return 0
        # For what is coming no more than half is emptied in advance: it may never come.
        ahead = min(self.coming, limits.max_size // 2) + self.waiting
        return self.kept + self.left + ahead - int(limits.max_size * mark)

    def _over_disk(self, limits: Limits, spare: float, *, unwritten: bool = True) -> int:
        if self.free is None:
            return 0
        wanted = free_wanted(limits.min_free, self.disk)
        missing = wanted + (self.unwritten if unwritten else 0) - self.free
        return missing + int(wanted * spare) if wanted and missing > 0 else 0
