"""What it would cost to get an image again, as a factor: 1 is a mirror that is well and quick.

    cost = reach x pace

`reach` is 1 while a mirror that gave it may be asked, 2 when only others of its registry may, and
8 when nobody may now: their breakers are open, or the registry is not configured any more.
`pace` is 1 + the seconds that a MiB of it took, up to 8: 1 MiB/s counts double, 10 MiB/s hardly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from entrepot.mirror.registry import Registry
from entrepot.store.candidates import Part

OTHERS_ONLY = 2.0
NOBODY = 8.0
SLOWEST = 8.0
_MIB = 1024 * 1024


def pace(seconds: float, size: int) -> float:
    """Tell the factor for `size` bytes that took `seconds`; 1 when neither is known."""
    if seconds <= 0 or size <= 0:
        return 1.0
    return min(1.0 + seconds * _MIB / size, SLOWEST)


class RefetchCost:
    """Knows from the mirrors' health what can be had now; `monotonic` is the loop's clock."""

    def __init__(self, registries: Mapping[str, Registry], monotonic: Callable[[], float]) -> None:
        self._registries = registries
        self._monotonic = monotonic

    def __call__(self, parts: Iterable[Part]) -> float:
        """Tell what `parts` would cost together."""
        timed = [part for part in parts if part.seconds > 0]
        slow = pace(sum(part.seconds for part in timed), sum(part.size for part in timed))
        origins = {(part.registry, part.mirror) for part in parts if part.size}
        return slow * max((self._reach(*origin) for origin in origins), default=1.0)

    def _reach(self, registry: str, mirrors: str) -> float:
        """`mirrors` as the catalog has them, names with commas between."""
        if not registry:
            return 1.0  # nobody knows
        known = self._registries.get(registry)
        now = self._monotonic()
        well = {m.name for m in known.mirrors if m.health.available(now)} if known else set()
        if not well:
            return NOBODY
        return 1.0 if not mirrors or well & set(mirrors.split(",")) else OTHERS_ONLY
