"""What a test leaves behind: tasks, file descriptors, exceptions nobody heard of."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_GRACE_S = 1.0
_STEP_S = 0.01
_TURNS = 10


def _descriptors() -> dict[int, str]:
    found: dict[int, str] = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue  # the one that listed the directory
        # grpc keeps its poller for the life of the process.
        if not (target.startswith("anon_inode:") and "grpc" in sys.modules):
            found[int(entry.name)] = target
    return found


@dataclass(frozen=True, slots=True)
class Footprint:
    """Tasks and descriptors at one moment."""

    tasks: frozenset[asyncio.Task[Any]]
    descriptors: frozenset[tuple[int, str]]

    @staticmethod
    def taken() -> Footprint:
        """The footprint now; the running task does not count."""
        running = asyncio.current_task()
        tasks = frozenset(task for task in asyncio.all_tasks() if task is not running)
        return Footprint(tasks, frozenset(_descriptors().items()))

    async def left_over(self) -> list[str]:
        """What is there now and was not then, once transports have had time to close."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        deadline = asyncio.get_running_loop().time() + _GRACE_S
        while (left := self._compared()) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_STEP_S)
        return left

    def _compared(self) -> list[str]:
        now = Footprint.taken()
        return [f"task {task!r}" for task in now.tasks - self.tasks] + [
            f"descriptor {number} -> {target}"
            for number, target in sorted(now.descriptors - self.descriptors)
        ]


class Unretrieved:
    """A loop's exception handler that remembers what would only have been logged."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def hear(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Connections dropped by the other side are part of life here and are let pass."""
        error = context.get("exception")
        if not isinstance(error, OSError):
            self.problems.append(f"{context.get('message')}: {error!r}")
