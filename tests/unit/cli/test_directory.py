"""A directory that a command opens for itself."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from entrepot.cli.adminclient import AdminClient, Refused
from entrepot.cli.directory import directory
from entrepot.config import load_settings
from entrepot.errors import StoreLocked
from unit.cli.stopped import NAME, Stopped

TOKEN = "a token for this block only"


def names(file: Path, token: str = TOKEN) -> list[str]:
    """What is listed, asked twice: each request has its own connection."""
    with directory(load_settings(file), TOKEN) as connect:
        client = AdminClient(connect, token, running=False)
        first, second = client.get("/v1/images"), client.get("/v1/images")
        assert first == second
        return [str(each["name"]) for each in first["images"]]


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "entrepot-directory"]


async def test_it_answers_and_lets_go_of_the_lock(stopped: Stopped) -> None:
    assert await asyncio.to_thread(names, stopped.file) == [f"{NAME}:1", f"{NAME}:2"]
    assert threads() == []
    async with stopped.opened() as cache:
        assert await cache.tags() == ["1", "2"]


async def test_only_the_token_of_the_block_is_taken(stopped: Stopped) -> None:
    with pytest.raises(Refused, match="does not take this token"):
        _ = await asyncio.to_thread(names, stopped.file, "another")
    assert threads() == []


async def test_directory_in_use_is_locked(stopped: Stopped) -> None:
    async with stopped.opened():
        with pytest.raises(StoreLocked):
            _ = await asyncio.to_thread(names, stopped.file)
    assert threads() == []
    assert await asyncio.to_thread(names, stopped.file) != []


async def test_it_is_closed_when_the_block_fails(stopped: Stopped) -> None:
    def interrupted(file: Path) -> None:
        with directory(load_settings(file), TOKEN):
            assert threads() == ["entrepot-directory"]
            raise KeyboardInterrupt

    def run(file: Path) -> str:
        try:
            interrupted(file)
        except KeyboardInterrupt:
            return "passed on"
        return "swallowed"

    assert await asyncio.to_thread(run, stopped.file) == "passed on"
    assert threads() == []
    async with stopped.opened() as cache:
        assert await cache.tags() == ["1", "2"]
