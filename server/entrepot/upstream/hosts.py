"""The hosts that a mirror's redirects lead to, each with a breaker of its own.

A blob store that is down says nothing about the registry that sends us there, and the other way
round.
"""

from __future__ import annotations

import asyncio
import copy
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from entrepot.errors import AttemptError, MirrorSilent, MirrorThrottled, MirrorUnreachable
from entrepot.upstream.health import Health, Transition

_MOST_HOSTS = 128
_LONG_S = 1.0
_JUST_NOW_S = 0.5


class Hosts:
    """Breakers by host and port; `tell` hears of their transitions.

    Times are the loop's. What is refused once while a breaker is open is let through when it is
    asked for again: then nobody else could help, and it is better to try than to fail.
    """

    def __init__(self, tell: Callable[[str, Transition], None]) -> None:
        self._tell = tell
        self._known: OrderedDict[str, Health] = OrderedDict()
        self._refused: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._waits: dict[object, tuple[str, float]] = {}
        self._given_up = ("", 0.0)

    def health(self, host: str) -> Health:
        """Tell the breaker of a host; a new one is closed."""
        known = self._known.get(host)
        if known is None:
            known = self._known[host] = Health(lambda transition: self._tell(host, transition))
            if len(self._known) > _MOST_HOSTS:
                self._known.popitem(last=False)
        self._known.move_to_end(host)
        return known

    def admit(self, host: str, subject: str) -> None:
        """Return if `host` may be asked for `subject` now, else raise without asking.

        MirrorThrottled while it told us to wait, MirrorUnreachable while its breaker is open.
        """
        now = asyncio.get_running_loop().time()
        health = self.health(host)
        if not health.available(now) and not self._insisted(host, subject, now):
            wait_s = health.ready_in(now)
            error: AttemptError = MirrorUnreachable(f"{host} is set aside for {wait_s:.0f} s")
            if now < health.throttled_until:
                error = MirrorThrottled(f"{host} wants {wait_s:.0f} s of rest")
                error.retry_after_s = wait_s
            error.elsewhere, error.asked = host, False
            raise error
        health.begin_trial(now)

    def failed(self, host: str, error: AttemptError) -> None:
        """Note that `error` happened at `host`, and mark it as not the mirror's own."""
        error.elsewhere = host
        told = copy.copy(error)
        told.elsewhere = ""
        self.health(host).record_failure(told, asyncio.get_running_loop().time())

    def answered(self, host: str) -> None:
        """Note that `host` is alive."""
        self.health(host).record_success(asyncio.get_running_loop().time())

    @contextmanager
    def waiting(self, host: str) -> Iterator[None]:
        """Note that something is awaited from `host`; see `silence`."""
        loop = asyncio.get_running_loop()
        key, since = object(), loop.time()
        self._waits[key] = (host, since)
        try:
            yield
        except asyncio.CancelledError:
            if loop.time() - since >= _LONG_S:
                self._given_up = (host, loop.time())
            else:
                self.health(host).abandon_trial(loop.time())
            raise
        finally:
            del self._waits[key]

    def silence(self, message: str) -> MirrorSilent:
        """Make the error for a question given up on; the host it waited for is held to account.

        That is the one waited for when a question was cancelled just now, or the longest now.
        """
        now = asyncio.get_running_loop().time()
        error = MirrorSilent(message)
        host, at = self._given_up
        self._given_up = ("", 0.0)
        if not host or now - at > _JUST_NOW_S:
            waits = sorted(self._waits.values(), key=lambda wait: wait[1])
            host = waits[0][0] if waits and now - waits[0][1] >= _LONG_S else ""
        if host:
            self.failed(host, error)
        return error

    def _insisted(self, host: str, subject: str, now: float) -> bool:
        key = (host, subject)
        until = self._refused.pop(key, 0.0)
        if now < until:
            return True
        self._refused[key] = now + max(self.health(host).ready_in(now), _LONG_S)
        if len(self._refused) > _MOST_HOSTS:
            self._refused.popitem(last=False)
        return False
