"""Headless Chromium, driven by the DevTools protocol: what a page really does in a browser."""

from __future__ import annotations

import asyncio
import base64
import itertools
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from programs import require_program

_START_S = 30.0
_WAIT_S = 15.0
_STOP_S = 10.0
_POLL_S = 0.05
_QUIET = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
)


class Chromium:
    """`async with Chromium(directory) as page`: one tab; the browser ends with the block.

    `requests` are the urls that the page asked for, `errors` all that the console would show in
    red: exceptions, refused loads, violations of the page's policy.
    """

    def __init__(self, directory: Path) -> None:
        self._profile = directory / "profile"
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self._process: Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._hearing: asyncio.Task[None] | None = None
        self.requests: list[str] = []
        self.errors: list[str] = []

    async def __aenter__(self) -> Self:
        program = require_program("chromium")
        self._process = await asyncio.create_subprocess_exec(
            program,
            *_QUIET,
            f"--user-data-dir={self._profile}",
            "about:blank",
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
        )
        try:
            await self._connect()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    async def open(self, url: str) -> None:
        """Go there, and return when the page and all that it refers to has loaded."""
        self._loaded.clear()
        told = await self.ask("Page.navigate", url=url)
        assert not told.get("errorText"), told
        await self._until_loaded()

    async def click(self, selector: str, *, leads_away: bool = True) -> None:
        """Click the first element that `selector` finds."""
        self._loaded.clear()
        await self.evaluate(f"document.querySelector({selector!r}).click()")
        if leads_away:
            await self._until_loaded()

    async def evaluate(self, expression: str) -> Any:
        """Tell what an expression comes to in the page; AssertionError when it raises."""
        told = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def until(self, expression: str) -> None:
        """Return once an expression is true in the page; TimeoutError if never."""
        async with asyncio.timeout(_WAIT_S):
            while not await self.evaluate(expression):
                await asyncio.sleep(_POLL_S)

    async def look_like(self, width: int, height: int, *, dark: bool = False) -> None:
        """Be a window, or a phone, of that size, for somebody who likes it light or dark."""
        phone = width < 600
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.ask("Emulation.setEmulatedMedia", features=[scheme])

    async def screenshot(self, file: Path) -> None:
        """Draw the whole page into a file."""
        told = await self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(told["data"]))

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol; RuntimeError when it is refused."""
        assert self._socket is not None
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(_WAIT_S):
            await asyncio.wait([answer])
        return answer.result()

    async def _until_loaded(self) -> None:
        async with asyncio.timeout(_WAIT_S):
            await self._loaded.wait()

    async def _connect(self) -> None:
        port = await self._port()
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = [one for one in await answer.json() if one["type"] == "page"]
        self._socket = await self._session.ws_connect(
            pages[0]["webSocketDebuggerUrl"], max_msg_size=64 << 20
        )
        self._hearing = asyncio.get_running_loop().create_task(self._hear())
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.ask(f"{domain}.enable")

    async def _port(self) -> int:
        file = self._profile / "DevToolsActivePort"
        async with asyncio.timeout(_START_S):
            while True:
                assert self._process is not None
                if self._process.returncode is not None:
                    raise RuntimeError(f"chromium ended with {self._process.returncode}")
                if await asyncio.to_thread(file.exists):
                    lines = (await asyncio.to_thread(file.read_text)).splitlines()
                    if lines:
                        return int(lines[0])
                await asyncio.sleep(_POLL_S)

    async def _hear(self) -> None:
        assert self._socket is not None
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                answer = self._answers.pop(told["id"])
                if answer.done():
                    continue
                if "error" in told:
                    answer.set_exception(RuntimeError(str(told["error"])))
                else:
                    answer.set_result(told["result"])
            else:
                self._note(told["method"], told["params"])

    def _note(self, method: str, told: Mapping[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(str(told["exceptionDetails"]))
            case "Log.entryAdded" if told["entry"]["level"] in {"error", "warning"}:
                self.errors.append(str(told["entry"]))
            case "Runtime.consoleAPICalled" if told["type"] in {"error", "warning"}:
                self.errors.append(str(told["args"]))
            case _:
                pass

    async def _end(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._hearing is not None:
            await self._hearing
        if self._session is not None:
            await self._session.close()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
