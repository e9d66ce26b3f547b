"""A cache that no server uses answers as the admin listener does."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from entrepot.atrest import Line, at_rest
from entrepot.config import Settings, load_settings
from entrepot.errors import StoreLocked
from fakes.images import image
from unit.store.keeping import REGISTRY, keeping

TOKEN = "a-token-that-nobody-would-guess"
ONE = image("one")


def _settings(path: Path) -> Settings:
    return load_settings(overrides={"cache": {"path": path / "cache"}})


def _exchange(end: socket.socket, method: str, path: str, token: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("localhost", timeout=10)
    connection.sock = end
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


async def ask(line: Line, method: str, path: str, token: str = TOKEN) -> tuple[int, Any]:
    return await asyncio.to_thread(_exchange, await line.connect(), method, path, token)


async def test_what_a_server_left_is_told_and_taken_out(tmp_path: Path) -> None:
    async with keeping(tmp_path / "cache") as own:
        await own.put_image("1", image=ONE)
    settings = await asyncio.to_thread(_settings, tmp_path)
    async with at_rest(settings, TOKEN) as line:
        status, told = await ask(line, "GET", "/v1/images")
        assert (status, [one["name"] for one in told["images"]]) == (200, [f"{REGISTRY}/pause:1"])
        status, told = await ask(line, "GET", "/v1/status")
        assert (told["blobs"], told["offline"], told["fills"]) == (3, None, None)
        status, told = await ask(line, "DELETE", f"/v1/images?name={REGISTRY}/pause:1")
        assert (status, told["freed"]["blobs"]) == (200, 3)
    async with keeping(tmp_path / "cache") as own:
        assert await own.digests() == set()
        assert not own.path(ONE.digest).exists()


async def test_there_is_no_switch_and_no_way_past_the_token(tmp_path: Path) -> None:
    settings = await asyncio.to_thread(_settings, tmp_path)
    async with at_rest(settings, TOKEN) as line:
        status, told = await ask(line, "GET", "/v1/offline")
        assert (status, told["errors"][0]["code"]) == (503, "UNAVAILABLE")
        assert (await ask(line, "GET", "/v1/images", "another-token-of-somebody"))[0] == 401


async def test_a_cache_in_use_is_left_alone_and_one_let_go_of_is_free(tmp_path: Path) -> None:
    settings = await asyncio.to_thread(_settings, tmp_path)
    async with at_rest(settings, TOKEN):
        with pytest.raises(StoreLocked):
            async with at_rest(settings, TOKEN):
                pytest.fail("two have the same cache")
    async with at_rest(settings, TOKEN) as line:
        assert (await ask(line, "GET", "/v1/status"))[0] == 200
