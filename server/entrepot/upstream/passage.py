"""What the bytes of one blob stream pass on their way in: a ceiling, the accounts, the blame."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext

from entrepot.errors import AttemptError
from entrepot.upstream.gate import Gate, Slot
from entrepot.upstream.health import Health
from entrepot.upstream.hosts import Hosts
from entrepot.upstream.throughput import Throughput


class Passage:
    """Of a stream that came through `gate` with `slot`, from the host `elsewhere` if not "".

    One reader at a time; `close` gives the slot back.
    """

    def __init__(
        self, gate: Gate, slot: Slot, health: Health, hosts: Hosts, elsewhere: str
    ) -> None:
        self._gate = gate
        self._slot = slot
        self._hosts = hosts
        self._elsewhere = elsewhere
        self._throughput = Throughput(health.record_throughput)

    @property
    def piece_bytes(self) -> int:
        """How much to read at most before asking again."""
        return self._gate.pace.piece_bytes

    @property
    def paced(self) -> bool:
        """Whether there is a ceiling now."""
        return self._gate.pace.rate is not None

    async def ready(self) -> None:
        """Return when the next piece may be read."""
        await self._gate.pace.ready()

    def waiting(self) -> AbstractContextManager[None]:
        """Note that a piece is awaited."""
        return self._hosts.waiting(self._elsewhere) if self._elsewhere else nullcontext()

    def received(self, count: int, began: float) -> None:
        """Count a piece that was asked for at `began`, loop time, and is here now."""
        now = asyncio.get_running_loop().time()
        self._gate.pace.spend(count, now)
        self._gate.limits.received(count, now)
        self._throughput.read(count, began, now)

    def failed(self, error: AttemptError) -> None:
        """Blame the host that it came from, if that is not the mirror itself."""
        if self._elsewhere:
            self._hosts.failed(self._elsewhere, error)

    def close(self) -> None:
        """Make room for the next question; without effect the second time."""
        self._throughput.finish()
        self._slot.release()
