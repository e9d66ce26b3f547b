"""Whether anything may go out at all: one switch for the whole process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog

from entrepot.errors import MirrorOffline

Stop: TypeAlias = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)


class Outbound:
    """Asked before every name that is looked up and every connection, and nothing goes round it.

    `Transport.send` is the one way out, and asks here; everybody else may ask to save the trouble.
    """

    def __init__(self, *, offline: bool = False) -> None:
        self._offline = offline
        self._stops: list[Stop] = []
        self._lines: list[Stop] = []

    @property
    def offline(self) -> bool:
        """Whether nothing may go out."""
        return self._offline

    def check(self) -> None:
        """Return if something may go out; MirrorOffline otherwise."""
        if self._offline:
            raise MirrorOffline

    def on_offline(self, stop: Stop) -> Callable[[], None]:
        """Have `stop` called when the switch goes to offline; the last added comes first.

        What is returned takes it back. Whoever uses connections is stopped before they are taken
        away under its feet.
        """
        self._stops.append(stop)
        return lambda: self._stops.remove(stop)

    def connected(self, hang_up: Stop) -> None:
        """Have connections closed by `hang_up` when the switch goes to offline, after all stops."""
        self._lines.append(hang_up)

    def disconnected(self, hang_up: Stop) -> None:
        """Take back what `connected` was told; safe to call twice."""
        if hang_up in self._lines:
            self._lines.remove(hang_up)

    async def set_offline(self, offline: bool) -> None:  # noqa: FBT001 - it is what is set
        """Throw the switch. From the call on nothing new goes out, on return nothing old either."""
        if offline == self._offline:
            return
        self._offline = offline
        log.warning("outbound.offline" if offline else "outbound.online")
        if offline:
            for stop in [*reversed(self._stops), *reversed(self._lines)]:
                await stop()
