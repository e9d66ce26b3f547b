"""`entrepot top` without a terminal, and what it draws on one."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import sys
from pathlib import Path

from entrepot.cli.top import screen
from unit.cli.stopped import Stopped
from unit.cli.test_offline import configured
from unit.web.serving import serving


async def test_without_a_terminal_it_looks_once(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:1") as server:
        result = await configured(server, tmp_path).run("top")
    assert result.exit_code == 0
    assert result.output.startswith("Entrepot ")
    assert "nothing is being downloaded" in result.output
    assert "\x1b" not in result.output


async def test_a_directory_cannot_be_watched(stopped: Stopped) -> None:
    result = await stopped.run("top")
    assert result.exit_code == 2
    assert "no server runs" in result.stderr


def test_what_does_not_fit_is_left_out() -> None:
    drawn = screen(["first line", "second", "third"], columns=5, rows=3)
    assert drawn == "\x1b[Hfirst\x1b[K\nsecon\x1b[K\x1b[J"


async def test_on_a_terminal_it_goes_on_until_it_is_ended(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:1") as server:
        site = configured(server, tmp_path)
        ours, theirs = pty.openpty()
        command = (sys.executable, "-m", "entrepot", "top", "--config", str(site.file))
        process = await asyncio.create_subprocess_exec(
            *command, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        try:
            seen = b""
            async with asyncio.timeout(30):
                while seen.count(b"Entrepot ") < 2:
                    seen += await asyncio.to_thread(os.read, ours, 65536)
                process.send_signal(signal.SIGINT)
                while not seen.endswith(b"\x1b[?1049l"):
                    seen += await asyncio.to_thread(os.read, ours, 65536)
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            os.close(ours)
