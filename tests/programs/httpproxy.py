"""tinyproxy, an HTTP proxy: whole urls for http, CONNECT for https."""

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

_ASKED = re.compile(r"opensock: opening connection to (\S+):\d+")


class HttpProxy:
    """`async with` starts it with its files below `directory`; it knows `names` and nobody else's.

    With `login`, (user, password), it lets nobody else through.
    """

    def __init__(
        self, directory: Path, names: Mapping[str, str], login: tuple[str, str] | None = None
    ) -> None:
        self._program = require_program("tinyproxy")
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._names = names
        self._login = login

    async def __aenter__(self) -> Self:
        self._port = Port()
        lines = [f"Port {self._port.number}", "Listen 127.0.0.1", "LogLevel Info", "Timeout 60"]
        if self._login:
            lines.append(f"BasicAuth {self._login[0]} {self._login[1]}")
        file = self._directory / "tinyproxy.conf"
        file.write_text("\n".join([*lines, ""]))
        self._daemon = Daemon(
            knowing(self._names, self._directory, (self._program, "-d", "-c", file)),
            self._directory / "tinyproxy.log",
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
        return f"http://{self.address}"

    def led_to(self) -> set[str]:
        """The hosts it has connected to, as it was asked for them."""
        return set(_ASKED.findall(self._daemon.tail()))
