"""Whom not to ask any more, and how long to wait: what keeps a survey from getting us banned."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from yarl import URL

from entrepot.errors import (
    AttemptError,
    BlockPage,
    MirrorDenied,
    MirrorFailed,
    MirrorNotFound,
    MirrorSilent,
    MirrorThrottled,
    MirrorUnreachable,
)
from entrepot.upstream.limits import Kind
from entrepot.upstream.mirror import MirrorClient

MOST_MISSES = 3
"""Answers of 403, 404 and the like, after which a host hears no more questions about tags."""
LONGEST_WAIT_S = 90.0
"""Our own limits are waited for so long, as for a place among 20 requests a minute."""
_REST_S = 60.0


@dataclass(slots=True)
class Manners:
    """What was learned of each host in this survey, whatever registry it stands in for.

    `now` is loop time, `sleep` waits; `tell` hears whom we wait for, and for how many seconds.
    """

    now: Callable[[], float] = field(default=lambda: asyncio.get_running_loop().time())
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    tell: Callable[[str, float], None] = field(default=lambda _mirror, _wait_s: None)
    _misses: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _stopped: dict[str, str] = field(default_factory=dict)
    _resting: dict[str, tuple[float, str]] = field(default_factory=dict)

    def refusal(self, url: str, kind: Kind = Kind.TAG) -> str:
        """Say why the mirror at `url` is not to be asked; nothing when it may be."""
        host = _host(url)
        until, why = self._resting.get(host, (0.0, ""))
        if self.now() < until:
            return f"{why}; to be asked again in {until - self.now():.0f} s"
        if stopped := self._stopped.get(host):
            return stopped
        missed = self._misses[host]
        if missed >= MOST_MISSES and kind in {Kind.TAG, Kind.LIST}:
            return f"not asked: {host} has refused {missed} questions already, and may ban for that"
        return ""

    async def turn(self, client: MirrorClient, kind: Kind) -> None:
        """Wait until the settings' limits let a question through, if that is soon enough."""
        wait_s = client.ready_in(self.now(), kind)
        if 1.0 < wait_s <= LONGEST_WAIT_S:
            self.tell(client.name, wait_s)
        if 0.0 < wait_s <= LONGEST_WAIT_S:
            await self.sleep(wait_s)

    def note(self, url: str, error: AttemptError) -> None:
        """Learn from an answer that was none."""
        if not error.asked or error.elsewhere:
            return
        host = _host(url)
        match error:
            case MirrorThrottled():
                rest_s = error.retry_after_s if error.retry_after_s is not None else _REST_S
                self._resting[host] = (self.now() + rest_s, f"{host} wants to be left alone")
            case BlockPage():
                self._stopped[host] = f"not asked: {host} sends web pages"
            case MirrorUnreachable() | MirrorSilent():
                self._stopped[host] = f"not asked again: {error}"
            case MirrorNotFound() | MirrorDenied() | MirrorFailed():
                # Without a status nothing was refused: the settings say that it has no such name.
                self._misses[host] += error.status is not None
            case _:
                return


def _host(url: str) -> str:
    return URL(url).authority
