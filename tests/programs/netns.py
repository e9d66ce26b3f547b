"""A network of our own with a cable that can be pulled: two namespaces and a veth pair."""

from __future__ import annotations

import asyncio
import ctypes
import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

import pytest

from programs import require_program
from programs.daemon import plain_environment, run

# Set aside for tests of networks (RFC 2544); in namespaces of our own they meet nobody.
_LAB, _OUTSIDE, _PREFIX = "198.18.77.1", "198.18.77.2", 30
_CLONE_NEWNET = 0x40000000
_PIECE_BYTES = 1 << 16
_FORBIDDEN = ("Operation not permitted", "Permission denied")


class Cable:
    """`async with` makes the namespaces `lab` and `outside`, joined by a cable, and removes them.

    Programs run in `lab` when started with the words of `inside` before their own; its only route
    leads through the cable. What they can reach there is what `offer` puts there.
    """

    def __init__(self) -> None:
        self._ip = require_program("ip")
        self._nsenter = require_program("nsenter")
        mark = secrets.token_hex(3)
        self.lab, self.outside = f"entrepot-{mark}-lab", f"entrepot-{mark}-out"
        self._relays: list[asyncio.Server] = []
        self._busy: set[asyncio.Task[None]] = set()
        self.connections = 0

    async def __aenter__(self) -> Self:
        try:
            await self._ip_("netns", "add", self.lab)
            await self._ip_("netns", "add", self.outside)
            await self.plug()
        except RuntimeError as error:
            await self._remove()
            allowed = not any(words in str(error) for words in _FORBIDDEN)
            if allowed or os.environ.get("ENTREPOT_REQUIRE_TOOLS") == "1":
                raise
            pytest.skip(f"no network namespaces: {error}")
        except BaseException:
            await self._remove()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for relay in self._relays:
            relay.close()
        for task in self._busy:
            task.cancel()
        if self._busy:
            await asyncio.wait(self._busy)
        await self._remove()

    async def plug(self) -> None:
        """Lay the cable, with an address at each end and a route through it."""
        peer = ("peer", "name", "cable", "netns", self.outside)
        await self._ip_("-n", self.lab, "link", "add", "cable", "type", "veth", *peer)
        for name, address in ((self.lab, _LAB), (self.outside, _OUTSIDE)):
            await self._ip_("-n", name, "address", "add", f"{address}/{_PREFIX}", "dev", "cable")
            for device in ("lo", "cable"):
                await self._ip_("-n", name, "link", "set", device, "up")
        await self._ip_("-n", self.lab, "route", "add", "default", "via", _OUTSIDE)

    async def cut(self) -> None:
        """Take it away: in the laboratory no route is left, only the loopback."""
        await self._ip_("-n", self.lab, "link", "del", "cable")
        assert await self._ip_("-n", self.lab, "route", "show", "table", "main") == ""

    async def go_dead(self) -> None:
        """Leave the cable and the route, with nobody at the other end: packets are lost."""
        await self._ip_("-n", self.outside, "address", "flush", "dev", "cable")

    @property
    def inside(self) -> tuple[str | Path, ...]:
        """Words to put before a command for it to run in the laboratory, under its own id."""
        return (self._nsenter, f"--net=/run/netns/{self.lab}")

    async def offer(self, port: int) -> str:
        """Make 127.0.0.1:`port` of this test reachable from the laboratory; its url there."""
        listening = self._socket_in(self.outside)
        listening.bind((_OUTSIDE, 0))
        relay = await asyncio.start_server(
            lambda reader, writer: self._relay(reader, writer, port), sock=listening
        )
        self._relays.append(relay)
        return f"http://{_OUTSIDE}:{listening.getsockname()[1]}"

    async def curl(self, *arguments: str) -> str:
        """Run curl in the laboratory; what it printed. RuntimeError when it fails."""
        curl = require_program("curl")
        return await run(*self.inside, curl, "-sS", *arguments, environment=self._environment)

    @property
    def _environment(self) -> dict[str, str]:
        return plain_environment(Path("/nonexistent"))

    def _socket_in(self, name: str) -> socket.socket:
        """Make a socket that stays in the namespace; only a thread of its own ever enters it."""
        made: list[socket.socket] = []

        def enter() -> None:
            with Path(f"/run/netns/{name}").open("rb") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket())

        thread = Thread(target=enter)
        thread.start()
        thread.join()
        made[0].setblocking(False)
        return made[0]

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
    ) -> None:
        self.connections += 1
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        loop = asyncio.get_running_loop()
        tasks = {
            loop.create_task(_copy(reader, there_writer)),
            loop.create_task(_copy(there_reader, writer)),
        }
        self._busy |= tasks
        try:
            await asyncio.wait(tasks)
        finally:
            self._busy -= tasks

    async def _ip_(self, *arguments: str) -> str:
        return await run(self._ip, *arguments, environment=self._environment)

    async def _remove(self) -> None:
        for name in (self.lab, self.outside):
            if Path(f"/run/netns/{name}").exists():
                await self._ip_("netns", "del", name)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        try:
            while piece := await reader.read(_PIECE_BYTES):
                writer.write(piece)
                await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()
