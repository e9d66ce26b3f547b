"""Mirrors set aside for one digest: they sent other bytes under it once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from entrepot.mirror.wanted import Wanted
from entrepot.oci.digest import Digest

_ASIDE_S = 3600.0
_CAPACITY = 10_000


class SetAside:
    """Whose word is doubted for what, for an hour; `now` is the monotonic clock in seconds.

    Only that digest is affected: a mirror with one rotten blob still serves the others (T-9, P29).
    """

    def __init__(self) -> None:
        self.lied: Callable[[Wanted, str], None] = lambda _wanted, _mirror: None
        """Called for each mirror whose bytes were proved wrong, for whoever writes that down."""
        self._until: OrderedDict[tuple[Digest, str], float] = OrderedDict()

    def put(self, digest: Digest, mirror: str, now: float) -> None:
        """Doubt what `mirror` sends for `digest` for an hour."""
        self._until[digest, mirror] = now + _ASIDE_S
        while len(self._until) > _CAPACITY:
            self._until.popitem(last=False)

    def mirrors(self, digest: Digest, names: tuple[str, ...], now: float) -> frozenset[str]:
        """Those of `names` that are set aside for `digest` now."""
        return frozenset(n for n in names if self._until.get((digest, n), 0.0) > now)
