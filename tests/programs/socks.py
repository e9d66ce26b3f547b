"""microsocks, a SOCKS5 proxy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from programs import require_program
from programs.daemon import Daemon, plain_environment
from programs.names import knowing
from programs.ports import Port

_CONNECTED = re.compile(r"connected to (\S+):\d+")


class SocksProxy:
    """`async with` starts it with its files below `directory`; it knows `names` and nobody else's.

    With `login`, (user, password), it lets nobody else through.
    """

    def __init__(
        self, directory: Path, names: Mapping[str, str], login: tuple[str, str] | None = None
    ) -> None:
        self._program = require_program("microsocks")
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._names = names
        self._login = login

    async def __aenter__(self) -> Self:
        self._port = Port()
        login = ("-u", self._login[0], "-P", self._login[1]) if self._login else ()
        command = (self._program, "-i", "127.0.0.1", "-p", str(self._port.number), *login)
        self._daemon = Daemon(
            knowing(self._names, self._directory, command),
            self._directory / "microsocks.log",
            plain_environment(self._directory),
        )
        try:
            await self._daemon.start(self._port.is_open)
        except BaseException:
            self._port.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._daemon.stop()
        finally:
            self._port.close()

    @property
    def address(self) -> str:
        """Host and port."""
        return str(self._port)

    @property
    def url(self) -> str:
        """As in the settings."""
        return f"socks5://{self.address}"

    def led_to(self) -> set[str]:
        """The hosts it has connected to, as it was asked for them."""
        return set(_CONNECTED.findall(self._daemon.tail()))
