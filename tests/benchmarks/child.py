"""A module of the tests in a process of its own, told and asked by lines."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import Self

_TESTS = Path(__file__).parents[1]
_STOP_S = 10.0


class Child:
    """`async with Child("benchmarks.x", "argument")`: started; its input ends, and so does it."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._name = module
        self._command = (sys.executable, "-m", module, *arguments)
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        paths = [str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            stdout=PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        return self

    async def line(self) -> str:
        """The next line it prints; RuntimeError when it has ended."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended; its traceback is on standard error")
        return line.decode().strip()

    def tell(self, line: str) -> None:
        """Give it a line on its standard input."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
