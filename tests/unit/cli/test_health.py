"""`entrepot health` asks real servers."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from entrepot.cli import main
from programs.ports import Port
from unit.web.serving import serving


async def health(directory: Path, admin: str, *words: str) -> Result:
    """Run the command with a file that says where the admin listener is; in a thread: it waits."""
    file = directory / "entrepot.yaml"
    file.write_text(f'admin: "{admin}"\n')
    arguments = ["health", "--config", str(file), *words]
    return await asyncio.to_thread(CliRunner().invoke, main, arguments)


@pytest.mark.rule("P28")
async def test_ready_server_is_status_0(tmp_path: Path) -> None:
    """Its mirrors do not matter: there is none, and nothing is asked of them."""
    async with serving(tmp_path, "http://127.0.0.1:1") as server:
        result = await health(tmp_path, server.admin)
    assert (result.exit_code, result.output) == (0, "ready\n")


async def test_the_cache_may_be_named_as_for_the_others(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:1") as server:
        result = await health(tmp_path, server.admin, "--cache", str(tmp_path / "any"))
    assert (result.exit_code, result.output) == (0, "ready\n")


async def test_draining_server_is_status_1(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:1") as server:
        server.server.ready = False
        result = await health(tmp_path, server.admin)
    assert (result.exit_code, result.output) == (1, "not ready\n")


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    "everywhere",
    [
        "0.0.0.0",
        pytest.param("[::]", marks=pytest.mark.skipif(not _has_ipv6(), reason="no ::1 here")),
    ],
)
async def test_server_that_listens_everywhere_is_asked_here(
    tmp_path: Path, everywhere: str
) -> None:
    here = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}[everywhere]
    async with serving(tmp_path, "http://127.0.0.1:1", admin=f"{here}:0") as server:
        port = server.admin.rpartition(":")[2]
        result = await health(tmp_path, f"{everywhere}:{port}")
    assert (result.exit_code, result.output) == (0, "ready\n")


async def test_nobody_there_is_status_1_and_says_where(tmp_path: Path) -> None:
    with Port() as port:
        result = await health(tmp_path, str(port))
    assert result.exit_code == 1
    assert f"no answer from {port}: " in result.stderr
    assert result.stdout == ""


async def test_somebody_else_there_is_status_1(tmp_path: Path) -> None:
    """A port taken over by something that is no HTTP server."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()
        await writer.wait_closed()

    other = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with other:
        port = other.sockets[0].getsockname()[1]
        result = await health(tmp_path, f"127.0.0.1:{port}")
    assert result.exit_code == 1
    assert f"no answer from 127.0.0.1:{port}: " in result.stderr


async def test_admin_listener_switched_off_is_status_2(tmp_path: Path) -> None:
    result = await health(tmp_path, "none")
    assert result.exit_code == 2
    assert "the admin listener is switched off" in result.stderr


async def test_configuration_with_mistakes_is_status_2_and_names_them(tmp_path: Path) -> None:
    result = await health(tmp_path, "127.0.0.1:70000")
    assert result.exit_code == 2
    assert "entrepot.yaml:1: admin" in result.stderr


def test_preset_decides_as_it_does_for_serve() -> None:
    result = CliRunner().invoke(main, ["health", "--preset", "chian"])
    assert result.exit_code == 2
    assert "china" in result.stderr
