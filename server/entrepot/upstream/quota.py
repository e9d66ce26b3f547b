"""How many pulls a registry still grants: Docker Hub's `ratelimit-*` headers (U-9)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

from entrepot.errors import MirrorThrottled
from entrepot.upstream.limits import own_limit

_KEPT = 1  # the last one is not spent
_WINDOW_S = 6 * 3600.0
_FIELD = re.compile(r"\s*(\d{1,12})\s*(?:;\s*w\s*=\s*(\d{1,12}))?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Quota:
    """`remaining` of `limit` manifest GETs are left; `window_s` is in seconds, 0 when untold."""

    limit: int
    remaining: int
    window_s: int


def parse_quota(headers: Mapping[str, str]) -> Quota | None:
    """Read the headers of any answer, HEAD included; None unless both are there and readable."""
    limit = _FIELD.match(headers.get("ratelimit-limit", ""))
    remaining = _FIELD.match(headers.get("ratelimit-remaining", ""))
    if limit is None or remaining is None:
        return None
    return Quota(int(limit[1]), int(remaining[1]), int(limit[2] or remaining[2] or 0))


class QuotaWatch:
    """Stops before the last pull is spent; `now` is monotonic seconds.

    HEADs are free and tell what is left as well, so the latest word counts. With nothing left, the
    window is counted from when that was first seen: nobody says when it ends.
    """

    def __init__(self) -> None:
        self.quota: Quota | None = None
        self._used_up_at: float | None = None

    def see(self, quota: Quota, now: float) -> None:
        """Take what an answer told."""
        self.quota = quota
        if quota.remaining > _KEPT or quota.limit <= _KEPT:
            self._used_up_at = None
        elif self._used_up_at is None or self.wait(now) == 0:
            self._used_up_at = now

    def wait(self, now: float) -> float:
        """Tell the seconds until a manifest may be fetched; 0 for now."""
        if self.quota is None or self._used_up_at is None:
            return 0.0
        return max(0.0, self._used_up_at + (self.quota.window_s or _WINDOW_S) - now)

    def refusal(self, now: float, clock: dt.datetime) -> MirrorThrottled:
        """Tell why not, and until when; `clock` is the same moment as `now`, aware."""
        assert self.quota is not None
        wait_s = self.wait(now)
        until = clock + dt.timedelta(seconds=wait_s)
        return own_limit(
            f"{self.quota.remaining} of {self.quota.limit} pulls left there; the window ends"
            f" about {until:%Y-%m-%d %H:%M} {until.tzname()}",
            wait_s,
        )
