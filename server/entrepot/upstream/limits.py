"""How much may be asked of one mirror now: accounts over sliding windows, `now` passed in.

Times are monotonic seconds.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from entrepot.config import Allowance, LimitSettings
from entrepot.errors import MirrorThrottled

_STEPS = 120  # entries kept for a window at most, more or less


class Kind(StrEnum):
    """What a question is about. A tag or a list may well not exist; a digest came from somebody."""

    TAG = "tag"
    MANIFEST = "manifest"
    BLOB = "blob"
    LIST = "list"


class Window:
    """At most `limit` in any `period_s` seconds; what came close together counts as one entry."""

    def __init__(self, limit: int, period_s: float) -> None:
        self._limit = limit
        self._period_s = period_s
        self._entries: deque[tuple[float, float, int]] = deque()  # first, last, amount
        self._used = 0

    def __repr__(self) -> str:
        return f"<Window {self._used} of {self._limit} in {self._period_s:g} s>"

    def record(self, amount: int, now: float) -> None:
        """Count `amount` more."""
        self._used += amount
        if self._entries and now - self._entries[-1][0] < self._period_s / _STEPS:
            first, _, before = self._entries.pop()
            self._entries.append((first, now, before + amount))
        else:
            self._entries.append((now, now, amount))

    def wait(self, now: float) -> float:
        """Tell the seconds until there is room for one more; 0 when there is."""
        while self._entries and self._entries[0][1] + self._period_s <= now:
            self._used -= self._entries.popleft()[2]
        over = self._used - self._limit + 1
        for _, last, amount in self._entries:
            if over <= 0:
                break
            over -= amount
            if over <= 0:
                return last + self._period_s - now
        return 0.0


class Limits:
    """The accounts of one mirror."""

    def __init__(self, settings: LimitSettings) -> None:
        self._told: list[tuple[Window, frozenset[Kind], str]] = []
        per_minute = settings.requests_per_minute
        requests = None if per_minute is None else Allowance(per_minute, 60.0)
        self._requests = self._window(requests, frozenset(Kind), "requests")
        self._bytes = self._window(settings.bytes_per_window, frozenset({Kind.BLOB}), "bytes")
        self._failures = self._window(
            settings.failures, frozenset({Kind.TAG, Kind.LIST}), "answers without content"
        )

    def _window(
        self, allowance: Allowance | None, kinds: frozenset[Kind], what: str
    ) -> Window | None:
        if allowance is None:
            return None
        window = Window(allowance.amount, allowance.period_s)
        why = f"our own limit of {allowance.amount} {what} in {allowance.period_s:g} s is reached"
        self._told.append((window, kinds, why))
        return window

    def asked(self, now: float) -> None:
        """Count one request."""
        if self._requests is not None:
            self._requests.record(1, now)

    def received(self, count: int, now: float) -> None:
        """Count so many bytes of a blob."""
        if self._bytes is not None:
            self._bytes.record(count, now)

    def spent(self, now: float) -> bool:
        """Whether as many bytes of blobs have come as may come in their time."""
        return self._bytes is not None and self._bytes.wait(now) > 0

    def answered(self, status: int, now: float) -> None:
        """Count an answer if it is one of those that mirrors ban for."""
        if self._failures is not None and (status in {403, 404, 429} or status >= 500):
            self._failures.record(1, now)

    def wait(self, kind: Kind, now: float) -> float:
        """Tell the seconds until a question of that kind may be sent; 0 for at once."""
        waits = (window.wait(now) for window, kinds, _ in self._told if kind in kinds)
        return max(waits, default=0.0)

    def refusal(self, kind: Kind, now: float) -> MirrorThrottled:
        """Tell why not; only while `wait` is not 0."""
        wait_s, why = max(
            (window.wait(now), why) for window, kinds, why in self._told if kind in kinds
        )
        return own_limit(f"{why}; to be asked again in {wait_s:.0f} s", wait_s)


def own_limit(message: str, wait_s: float) -> MirrorThrottled:
    """Make the error for what was never sent."""
    error = MirrorThrottled(message, retry_after_s=wait_s)
    error.asked = False
    return error
