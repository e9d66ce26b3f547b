"""How fast counts grow, as somebody sees them who looks now and then."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field

_SHORTEST_S = 0.4
"""Two looks closer together say nothing new."""
_WEIGHT = 0.5


@dataclass(slots=True)
class _Seen:
    at: float
    counts: Mapping[str, int]
    rates: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Rates:
    """Counts by name, for each of several things; times in seconds of any one clock."""

    _seen: dict[Hashable, _Seen] = field(default_factory=dict)

    def look(
        self, key: Hashable, counts: Mapping[str, int], now: float, age_s: float
    ) -> Mapping[str, float]:
        """Tell how much each count of `key` grows a second; at first, since it began."""
        seen = self._seen.get(key)
        if seen is None:
            rates = {name: count / age_s for name, count in counts.items()} if age_s > 0 else {}
            self._seen[key] = _Seen(now, counts, rates)
            return rates
        passed = now - seen.at
        if passed >= _SHORTEST_S:
            for name, count in counts.items():
                latest = max(count - seen.counts.get(name, 0), 0) / passed
                before = seen.rates.get(name, latest)
                seen.rates[name] = before + _WEIGHT * (latest - before)
            seen.at, seen.counts = now, counts
        return seen.rates

    def forget_others(self, keys: Collection[Hashable]) -> None:
        """Forget everything but `keys`."""
        self._seen = {key: seen for key, seen in self._seen.items() if key in keys}
