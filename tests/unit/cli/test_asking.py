"""Who is asked: the directory if nobody uses it, otherwise the server that does."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from entrepot.cli.adminclient import Refused
from entrepot.cli.asking import answering
from entrepot.config import load_settings
from programs.ports import Port
from unit.cli.stopped import NAME, Stopped
from unit.web.serving import serving


def asked(file: Path) -> tuple[bool, object]:
    """Whether a server answered, and how many images it told of."""
    with answering(load_settings(file)) as client:
        return client.running, len(client.get("/v1/images")["images"])


async def test_stopped_directory_is_opened_and_nobody_is_told_a_token(stopped: Stopped) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.setblocking(False)
        stopped.configure(admin=f"127.0.0.1:{stranger.getsockname()[1]}")
        assert await asyncio.to_thread(asked, stopped.file) == (False, 2)
        with pytest.raises(BlockingIOError):
            _ = stranger.accept()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_server_that_runs_on_it_is_asked(tmp_path: Path, host: str) -> None:
    site = Stopped(tmp_path)
    async with serving(tmp_path, "http://127.0.0.1:1") as server:
        site.configure(admin=f"{host}:{server.admin.rpartition(':')[2]}")
        assert await asyncio.to_thread(asked, site.file) == (True, 0)


async def test_token_that_is_gone_is_told(tmp_path: Path) -> None:
    site = Stopped(tmp_path)
    async with serving(tmp_path, "http://127.0.0.1:1") as server:
        site.configure(admin=server.admin)
        (site.cache / "admin-token").unlink()
        with pytest.raises(Refused, match=r"its cache is not .*admin-token.* --cache"):
            _ = await asyncio.to_thread(asked, site.file)
        # Answered later than the command's connection was taken: asyncio lets go of one that it
        # takes while it closes only when garbage is collected.
        _ = await server.metrics()


async def test_locked_directory_without_an_admin_listener_is_misuse(stopped: Stopped) -> None:
    async with stopped.opened():
        result = await stopped.run("ls")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the admin listener is switched off: stop the server first" in result.stderr


async def test_locked_directory_whose_server_is_elsewhere_names_the_address(
    stopped: Stopped,
) -> None:
    with Port() as port:
        stopped.configure(admin=str(port))
        async with stopped.opened():
            result = await stopped.run("ls")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"nobody answers at the admin address {port} " in result.stderr


async def test_directory_that_is_no_cache_is_told_and_left_alone(tmp_path: Path) -> None:
    site = Stopped(tmp_path)
    site.configure()
    result = await site.run("ls")
    assert result.exit_code == 2
    assert f"there is no cache in {site.cache}" in result.stderr
    assert not site.cache.exists()


async def test_cache_option_wins_over_the_file(stopped: Stopped) -> None:
    elsewhere = str(stopped.directory / "elsewhere")
    stopped.configure(cache={"path": elsewhere})
    assert f"there is no cache in {elsewhere}" in (await stopped.run("ls")).stderr
    result = await stopped.run("ls", f"{NAME}:1", "--cache", str(stopped.cache))
    assert result.exit_code == 0
    assert f"{NAME}:1" in result.stdout


async def test_mistake_in_the_settings_is_status_2_and_names_the_line(stopped: Stopped) -> None:
    stopped.file.write_text("lisen: 1\n")
    result = await stopped.run("ls")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{stopped.file}:1: lisen: unknown key" in result.stderr
