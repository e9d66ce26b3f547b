"""`entrepot offline` asks a server that runs; a directory has no such switch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unit.cli.stopped import Stopped
from unit.web.serving import Serving, serving


def configured(server: Serving, directory: Path) -> Stopped:
    """The file that this server could have been started with."""
    site = Stopped(directory)
    site.configure(admin=server.admin)
    return site


async def test_switch_is_thrown_and_told(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:1") as server:
        site = configured(server, tmp_path)
        told = [await site.run("offline", *words) for words in ([], ["on"], [], ["off"], [])]
    assert [result.exit_code for result in told] == [0] * 5
    assert [result.output.strip() for result in told] == [
        "online",
        "offline",
        "offline",
        "online",
        "online",
    ]


async def test_server_that_started_offline_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:1", offline=True) as server:
        result = await configured(server, tmp_path).run("offline")
    assert (result.exit_code, result.output) == (0, "offline\n")


@pytest.mark.parametrize("words", [["on"], ["off"]])
async def test_directory_cannot_go_offline(stopped: Stopped, words: list[str]) -> None:
    before = json.loads(stopped.file.read_text())
    result = await stopped.run("offline", *words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert json.loads(stopped.file.read_text()) == before


async def test_anything_else_is_misuse(stopped: Stopped) -> None:
    result = await stopped.run("offline", "maybe")
    assert result.exit_code == 2
    assert "maybe" in result.stderr
