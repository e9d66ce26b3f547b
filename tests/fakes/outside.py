"""The Internet, as a proxy that lets nothing through and remembers what was asked of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self


class Outside:
    """Put `environment` into a program's own, and what it wants of other machines lands here.

    Go programs (containerd, skopeo, podman, dockerd) and curl ask a proxy for everything but
    localhost and loopback addresses, so a name like k8s.gcr.io is not even looked up. Each request
    is refused with 403; `asked` holds the first lines, such as "CONNECT k8s.gcr.io:443 HTTP/1.1".
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._refuse, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that name this proxy, in both cases, and no exceptions to it."""
        assert self._server is not None, "used outside `async with`"
        url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        return {**dict.fromkeys(names, url), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            line = await reader.readline()
            if line:
                self.asked.append(line.decode(errors="replace").strip())
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
