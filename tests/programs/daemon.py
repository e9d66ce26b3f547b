"""A long-running program: started, waited for until it answers, ended by its own id."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

START_S = 15.0
STOP_S = 10.0
_POLL_S = 0.02
_TAIL_BYTES = 6000


class Daemon:
    """`command` with its output in the file `log`, whose end is in every complaint raised here.

    It leads a process group of its own, so that an interrupt at the keyboard reaches pytest only.
    """

    def __init__(
        self, command: Sequence[str | Path], log: Path, environment: Mapping[str, str]
    ) -> None:
        self._command = command
        self._log = log
        self._environment = environment
        self._process: Process | None = None

    async def start(self, ready: Callable[[], Awaitable[bool]]) -> None:
        """Return once `ready()`; RuntimeError when it ends before that or takes too long."""
        with await asyncio.to_thread(self._log.open, "ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(self._environment),
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(START_S):
                await self._until(ready, self._process)
        except TimeoutError:
            await self.stop()
            raise RuntimeError(f"{self._name} is not ready:\n{self.tail()}") from None
        except BaseException:
            await self.stop()
            raise

    async def _until(self, ready: Callable[[], Awaitable[bool]], process: Process) -> None:
        while not await ready():
            if process.returncode is not None:
                raise RuntimeError(f"{self._name} ended at once:\n{self.tail()}")
            await asyncio.sleep(_POLL_S)

    async def stop(self, within_s: float = STOP_S) -> int | None:
        """SIGTERM, and SIGKILL to one that has not gone `within_s`; its exit status.

        None, and nothing done, if it is not running any more.
        """
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return None
        process.terminate()
        try:
            async with asyncio.timeout(within_s):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()

    async def kill(self) -> None:
        """SIGKILL, as a power cut would; nothing if it is not running."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    @property
    def pid(self) -> int:
        """Its process id; RuntimeError unless it is running."""
        if self._process is None:
            raise RuntimeError(f"{self._name} is not running")
        return self._process.pid

    def tail(self) -> str:
        """The end of what it has said."""
        return self._log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")

    @property
    def _name(self) -> str:
        return Path(self._command[0]).name


async def run(*command: str | Path, environment: Mapping[str, str], timeout_s: float = 25.0) -> str:
    """Run a short program to its end and give back what it printed.

    RuntimeError, with all of its output, when it fails or takes longer than `timeout_s`; it is
    killed then, and also when the caller is cancelled.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),
    )
    said = f"{Path(command[0]).name} {' '.join(map(str, command[1:]))}"
    try:
        async with asyncio.timeout(timeout_s):
            output, complaints = await process.communicate()
    except TimeoutError:
        raise RuntimeError(f"{said}: no end after {timeout_s} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise RuntimeError(
            f"{said}: status {process.returncode}\n{complaints.decode()}{output.decode()}"
        )
    return output.decode()


def plain_environment(home: Path, **more: str) -> dict[str, str]:
    """As little as a program needs: PATH with the sbin directories, a home of its own, `more`."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", **more}
