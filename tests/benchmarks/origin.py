"""The slow mirror: a FakeRegistry in a process of its own, so that it costs nobody's event loop.

Run as `python -m benchmarks.origin BYTES_PER_SECOND FILE...` it holds the files as blobs and prints
its address; after that every line on its standard input is answered with the blob bytes sent so
far. It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.content import REPOSITORY, Blob
from fakes.registry import FakeRegistry

_STOP_S = 10.0


class ThrottledOrigin:
    """That process, seen from the one that measures; `async with` starts and stops it."""

    def __init__(self, bytes_per_second: int, *blobs: Blob) -> None:
        self._arguments = [str(bytes_per_second), *(str(blob.path) for blob in blobs)]
        self._process: Process | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.origin", *self._arguments), stdin=PIPE, stdout=PIPE
        )
        self.url = await self._line()
        return self

    async def bytes_sent(self) -> int:
        """Blob bytes that have left the origin since it began, unfinished answers too."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return int(await self._line())

    async def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the origin ended; its traceback is on standard error")
        return line.decode().strip()

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


async def _serve(bytes_per_second: int, files: list[Path]) -> None:
    async with FakeRegistry(bytes_per_second=bytes_per_second) as registry:
        for file in files:
            registry.put_blob(REPOSITORY, file.read_bytes())
        print(registry.url, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(registry.bytes_sent("/blobs/"), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), [Path(file) for file in sys.argv[2:]]))
