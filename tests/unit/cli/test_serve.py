"""`entrepot serve`, in a process of its own as systemd runs it."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from entrepot.cli import main
from wire.client import ask

_WAIT_S = 30.0


def written(path: Path, **settings: object) -> Path:
    """A settings file with free ports, a cache beside it and a mirror that is not there."""
    document = {
        "listen": "127.0.0.1:0",
        "admin": "127.0.0.1:0",
        "cache": {"path": str(path / "cache")},
        "registries": {"registry.k8s.io": {"mirrors": ["http://127.0.0.1:9"]}},
        **settings,
    }
    file = path / "entrepot.yaml"
    file.write_text(json.dumps(document))
    return file


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`entrepot serve ARGUMENTS`; killed at the end if it has not ended."""
    one = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "entrepot", "serve", *arguments, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_WAIT_S):
            yield one
    finally:
        if one.returncode is None:
            one.kill()
        await one.wait()


async def line_with(one: asyncio.subprocess.Process, text: str) -> str:
    """The first line on standard error that has `text` in it."""
    assert one.stderr is not None
    seen = []
    while line := (await one.stderr.readline()).decode():
        seen.append(line)
        if text in line:
            return line
    raise AssertionError(f"it ended without {text!r}: {seen}")


async def rest_of(one: asyncio.subprocess.Process) -> str:
    assert one.stderr is not None
    return (await one.stderr.read()).decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_told_to_stop(number: signal.Signals, tmp_path: Path) -> None:
    file = written(tmp_path, log={"format": "json"})
    async with process("--config", str(file)) as one:
        ready = json.loads(await line_with(one, "server.ready"))
        assert ready["cache"] == str(tmp_path / "cache")
        assert "registry.k8s.io (also as k8s.gcr.io)" in ready["registries"].split(", ")
        assert (await ask(ready["listen"], "GET", "/v2/")).status == 200
        assert (await ask(ready["admin"], "GET", "/readyz")).status == 200
        one.send_signal(number)
        lines = (await rest_of(one)).splitlines()
        assert await one.wait() == 0
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events] == ["request", "server.draining"]


async def test_a_person_at_a_terminal_is_told_what_to_do_next(tmp_path: Path) -> None:
    async with process("--config", str(written(tmp_path))) as one:
        ready = await line_with(one, "server.ready")
        address = re.findall(r"listen=(\S+)", ready)[0]
        hint = await line_with(one, "Entrepot serves on port")
        assert address.rpartition(":")[2] in hint
        one.terminate()
        assert await one.wait() == 0


async def test_the_cache_can_be_put_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    async with process("--config", str(written(tmp_path)), "--cache", str(elsewhere)) as one:
        await line_with(one, "server.ready")
        assert (elsewhere / "VERSION").is_file()
        assert not (tmp_path / "cache").exists()
        one.terminate()
        assert await one.wait() == 0


async def test_a_cache_that_cannot_be_used_is_status_1(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"")
    async with process("--config", str(written(tmp_path))) as one:
        told = await rest_of(one)
        assert await one.wait() == 1
    assert told.startswith(f"entrepot: {tmp_path / 'cache'} cannot be used as the cache")
    assert "Traceback" not in told


async def test_a_port_in_use_is_status_1_and_named(tmp_path: Path) -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    taken = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    async with process("--config", str(written(tmp_path, listen=f"127.0.0.1:{port}"))) as one:
        told = await rest_of(one)
        assert await one.wait() == 1
    taken.close()
    await taken.wait_closed()
    assert str(port) in told
    assert "`listen`" in told
    assert "Traceback" not in told


def test_mistakes_in_the_settings_are_status_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["serve", "--config", str(written(tmp_path, lisen="x", timeouts={"stall": "ten"}))]
    )
    assert result.exit_code == 2
    assert "lisen" in result.stderr
    assert "stall" in result.stderr


def test_an_unknown_preset_is_status_2() -> None:
    result = CliRunner().invoke(main, ["serve", "--preset", "chnia"])
    assert result.exit_code == 2
    assert "china" in result.stderr


async def test_sockets_of_the_manager_are_served_on_and_it_is_told(tmp_path: Path) -> None:
    """As systemd starts it: sockets as descriptors from 3 on, and one to be told at."""
    told = tmp_path / "notify"
    with (
        socket.create_server(("127.0.0.1", 0)) as clients,
        socket.create_server(("127.0.0.1", 0)) as admin,
        socket.create_server(("127.0.0.1", 0)) as unwanted,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(str(told))
        manager.setblocking(False)
        handed = [clients, admin, unwanted]
        listen, administer = (f"127.0.0.1:{one.getsockname()[1]}" for one in handed[:2])
        file = written(tmp_path, listen=listen, admin=administer)
        # A shell puts them in place and becomes the server, which so has the shell's number.
        moves = "".join(
            f" {3 + number}<&{one.fileno()}" for number, one in reversed(list(enumerate(handed)))
        )
        script = f'exec env LISTEN_PID=$$ LISTEN_FDS=3 NOTIFY_SOCKET={told} "$@"{moves}'
        one = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            script,
            "bash",
            sys.executable,
            "-m",
            "entrepot",
            "serve",
            "--config",
            str(file),
            stderr=asyncio.subprocess.PIPE,
            pass_fds=[each.fileno() for each in handed],
        )
        try:
            async with asyncio.timeout(_WAIT_S):
                assert "listen.not_wanted" in await line_with(one, "listen.not_wanted")
                loop = asyncio.get_running_loop()
                assert (await loop.sock_recv(manager, 200)).startswith(b"READY=1\nSTATUS=serving")
                assert (await ask(listen, "GET", "/v2/")).status == 200
                assert (await ask(administer, "GET", "/readyz")).status == 200
                one.send_signal(signal.SIGHUP)
                assert (await loop.sock_recv(manager, 200)).startswith(b"RELOADING=1\n")
                assert (await loop.sock_recv(manager, 200)).startswith(b"READY=1\n")
                file.write_text("tags: {tll: 1}")
                one.send_signal(signal.SIGHUP)
                assert (await loop.sock_recv(manager, 200)).startswith(b"RELOADING=1\n")
                assert b"were refused" in await loop.sock_recv(manager, 200)
                one.terminate()
                assert await loop.sock_recv(manager, 200) == b"STOPPING=1"
                assert await one.wait() == 0
        finally:
            if one.returncode is None:
                one.kill()
                await one.wait()
