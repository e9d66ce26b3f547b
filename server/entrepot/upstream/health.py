"""What one mirror's recent behaviour says about asking it now: a breaker and a throttle."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

from entrepot.errors import (
    AttemptError,
    MirrorFailed,
    MirrorLied,
    MirrorNotFound,
    MirrorSilent,
    MirrorThrottled,
    MirrorUnreachable,
)

FIRST_COOL_DOWN_S = 10.0
LONGEST_COOL_DOWN_S = 300.0
TRIAL_S = 30.0
"""A trial that nobody reported on for so long is taken for abandoned."""
DEFAULT_THROTTLE_S = 30.0

_OPENS_AT = 6
_WEIGHT = 0.3  # of the newest in a moving average
_MOST_TIMES = 64
_FEWEST_TIMES = 5


@dataclass(frozen=True, slots=True)
class Transition:
    """A breaker opened, or stays open for longer, for `cool_down_s` seconds; or it closed."""

    opened: bool
    reason: str = ""
    cool_down_s: float = 0.0


class Health:
    """A breaker (closed, open, half-open) and a throttle; pure, `now` is monotonic seconds.

    Silence or a refused connection opens it at once, because each further try costs a client its
    time; wrong answers open it at the second in a row, 5xx at the third. Real answers close it:
    404 and 401/403 are answers too (P15), and so is a redirect to a host that then fails. Each
    reopening doubles the cool-down, and when it is over one trial at a time is let through. `tell`
    is called at each transition.
    """

    __slots__ = (
        "_cool_down_s",
        "_open_until",
        "_points",
        "_tell",
        "_times",
        "_trial_until",
        "last_failure",
        "latency",
        "throttled_until",
        "throughput",
    )

    def __init__(self, tell: Callable[[Transition], None] | None = None) -> None:
        self.last_failure: tuple[float, str] | None = None
        self.latency: float | None = None
        self.throughput: float | None = None
        self.throttled_until = 0.0
        self._tell = tell
        self._times: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_MOST_TIMES))
        self._points = 0
        self._cool_down_s = FIRST_COOL_DOWN_S
        self._open_until: float | None = None
        self._trial_until: float | None = None

    def __repr__(self) -> str:
        state = "closed"
        if self._trial_until is not None:
            state = "on trial"
        elif self._open_until is not None:
            state = f"open until {self._open_until:.1f}"
        throttled = f", throttled until {self.throttled_until:.1f}" if self.throttled_until else ""
        return f"<Health {state}{throttled}>"

    def state(self, now: float) -> str:
        """Name the breaker's state: closed, open, or half_open when the next try may close it."""
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half_open"

    def available(self, now: float) -> bool:
        """Whether the mirror may be asked ahead of a last resort."""
        if now < self.throttled_until:
            return False
        if self._open_until is None:
            return True
        on_trial = self._trial_until is not None and now < self._trial_until
        return now >= self._open_until and not on_trial

    def ready_in(self, now: float) -> float:
        """Tell the seconds until it is no more throttled or open; 0 when it is neither."""
        until = max(self.throttled_until, self._open_until or 0.0)
        return max(0.0, until - now)

    def begin_trial(self, now: float) -> None:
        """Note that the mirror is being asked; without effect unless the breaker is open."""
        if self._open_until is not None:
            self._trial_until = now + TRIAL_S

    def abandon_trial(self, now: float) -> None:  # noqa: ARG002 - one shape for every report
        """Note that the asking ended without telling anything about the mirror."""
        self._trial_until = None

    def record_success(self, now: float) -> None:  # noqa: ARG002 - one shape for every report
        """Note a real answer: the breaker closes, and the next cool-down is a short one again."""
        was_open = self._open_until is not None
        self._points = 0
        self._cool_down_s = FIRST_COOL_DOWN_S
        self._open_until = None
        self._trial_until = None
        if was_open:
            self._say(Transition(opened=False))

    def record_failure(self, error: AttemptError, now: float) -> None:
        """Note how an attempt ended; most failures say something, some say the mirror is well."""
        if not error.asked:
            self.abandon_trial(now)
            return
        if _counts(error):
            self.last_failure = (now, str(error))
        if error.elsewhere:
            self.record_success(now)
            return
        if isinstance(error, MirrorThrottled):
            wait_s = DEFAULT_THROTTLE_S if error.retry_after_s is None else error.retry_after_s
            self.throttled_until = max(self.throttled_until, now + wait_s)
        points = _points(error)
        if points == 0:
            self.record_success(now)
            return
        if self._open_until is not None:
            self._reopen(error, now)
            return
        self._points += points
        if self._points >= _OPENS_AT:
            self._open_until = now + self._cool_down_s
            self._say(Transition(opened=True, reason=str(error), cool_down_s=self._cool_down_s))

    def record_latency(self, seconds: float, kind: str = "manifest") -> None:
        """Take one more time to headers into `latency`, a moving average in seconds."""
        self._times[kind].append(seconds)
        self.latency = _averaged(self.latency, seconds)

    def latency_percentile(self, kind: str, share: float) -> float | None:
        """Tell within what time, in seconds, that share of the latest answers began.

        `kind` is "manifest" or "blob". None when fewer than five are known.
        """
        times = sorted(self._times[kind])
        if len(times) < _FEWEST_TIMES:
            return None
        return times[max(0, math.ceil(share * len(times)) - 1)]

    def record_throughput(self, bytes_per_s: float) -> None:
        """Take what one connection brought into `throughput`, a moving average."""
        self.throughput = _averaged(self.throughput, bytes_per_s)

    def _say(self, transition: Transition) -> None:
        if self._tell is not None:
            self._tell(transition)

    def _reopen(self, error: AttemptError, now: float) -> None:
        """Answer a failure while open: only one after the cool-down lengthens the next."""
        assert self._open_until is not None
        self._trial_until = None
        if now >= self._open_until:
            self._cool_down_s = min(2 * self._cool_down_s, LONGEST_COOL_DOWN_S)
            self._open_until = now + self._cool_down_s
            self._say(Transition(opened=True, reason=str(error), cool_down_s=self._cool_down_s))


def _averaged(average: float | None, latest: float) -> float:
    return latest if average is None else average + _WEIGHT * (latest - average)


def _counts(error: AttemptError) -> bool:
    """Whether it is for an operator to know: 404 is an answer like any other (P15)."""
    return not isinstance(error, MirrorNotFound)


def _points(error: AttemptError) -> int:
    """Weigh a failure against the mirror; 0 when it shows that the mirror is alive."""
    match error:
        case MirrorSilent() | MirrorUnreachable():
            return _OPENS_AT
        case MirrorLied():
            return _OPENS_AT // 2
        case MirrorFailed(status=int(status)) if status >= 500:
            return _OPENS_AT // 3
        case _:
            return 0
