"""The guards guard: each is shown what it is there to catch."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from blockbuster import BlockingError

from guards.leaks import Footprint, Unretrieved
from programs import require_program

SOURCE = """
import builtins, io, os, pathlib, time

def run(work, *arguments):
    return work(*arguments)
"""


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """A function whose code lies inside the watched package: what it calls is watched."""
    import entrepot

    module = ModuleType("entrepot.planted")
    code = compile(SOURCE, str(Path(entrepot.__file__).parent / "planted.py"), "exec")
    exec(code, module.__dict__)
    run: Callable[..., Any] = module.__dict__["run"]
    return run


CALLS = (
    "open",
    "io.open",
    "os.open",
    "os.pread",
    "os.pwrite",
    "os.fsync",
    "os.fdatasync",
    "os.rename",
    "os.replace",
    "os.unlink",
    "os.stat",
    "os.write",
    "os.read",
)


def _calls(path: Path) -> dict[str, Callable[[], object]]:
    fd = os.open(path, os.O_RDWR)
    return {
        "open": lambda: open(path, "rb"),  # noqa: PTH123 - the builtin itself
        "io.open": path.read_bytes,
        "os.open": lambda: os.open(path, os.O_RDONLY),
        "os.pread": lambda: os.pread(fd, 1, 0),
        "os.pwrite": lambda: os.pwrite(fd, b"x", 0),
        "os.fsync": lambda: os.fsync(fd),
        "os.fdatasync": lambda: os.fdatasync(fd),
        "os.rename": lambda: path.rename(path),
        "os.replace": lambda: path.replace(path),
        "os.unlink": path.unlink,
        "os.stat": path.stat,
        "os.write": lambda: os.write(fd, b"x"),
        "os.read": lambda: os.read(fd, 1),
        "os.close": lambda: os.close(fd),
    }


@pytest.mark.parametrize("name", CALLS)
async def test_blocking_call_in_the_package_is_caught(
    name: str, inside: Callable[..., Any], blocking_calls: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    calls = _calls(path)
    try:
        with pytest.raises(BlockingError):
            inside(calls[name])
    finally:
        calls["os.close"]()
    assert len(blocking_calls) == 1
    blocking_calls.clear()


async def test_blocking_call_in_a_thread_is_let_through(
    inside: Callable[..., Any], tmp_path: Path
) -> None:
    await asyncio.to_thread(inside, (tmp_path / "file").write_bytes, b"x")
    assert await asyncio.to_thread((tmp_path / "file").read_bytes) == b"x"


async def test_swallowed_blocking_call_is_still_counted(
    inside: Callable[..., Any], blocking_calls: list[str], tmp_path: Path
) -> None:
    with contextlib.suppress(Exception):
        inside(tmp_path.stat)
    assert blocking_calls == ["os.stat"]
    blocking_calls.clear()


async def test_outbound_connection_is_refused(outbound: list[str]) -> None:
    with pytest.raises(PermissionError):
        await asyncio.open_connection("192.0.2.1", 80)
    with socket.socket() as sock, pytest.raises(PermissionError):
        sock.connect_ex(("192.0.2.1", 443))
    with pytest.raises(socket.gaierror):
        await asyncio.open_connection("registry.k8s.io", 443)
    assert outbound == ["192.0.2.1:80", "192.0.2.1:443", "registry.k8s.io"]
    outbound.clear()


async def test_reserved_name_does_not_exist(outbound: list[str]) -> None:
    with pytest.raises(socket.gaierror):
        await asyncio.open_connection("mirror.invalid", 443)
    assert outbound == []


async def test_task_left_running_is_found() -> None:
    before = Footprint.taken()
    loop = asyncio.get_running_loop()
    task = loop.create_task(asyncio.Event().wait(), name="forgotten")
    (found,) = await before.left_over()
    assert "forgotten" in found
    task.cancel()
    await asyncio.wait([task])
    assert await before.left_over() == []


async def test_open_descriptor_is_found(tmp_path: Path) -> None:
    before = Footprint.taken()
    path = tmp_path / "open"
    with await asyncio.to_thread(path.open, "wb"):
        (found,) = await before.left_over()
    assert str(path) in found


async def test_exception_nobody_awaits_is_remembered() -> None:
    unretrieved = Unretrieved()
    loop = asyncio.get_running_loop()
    ours = loop.get_exception_handler()
    loop.set_exception_handler(unretrieved.hear)
    try:
        await _forget(_fail())
    finally:
        loop.set_exception_handler(ours)
    assert len(unretrieved.problems) == 1
    assert "quietly" in unretrieved.problems[0]


async def _fail() -> None:
    raise ValueError("quietly")


async def _forget(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    await asyncio.wait([task])
    del task


def test_environment_has_no_proxy_and_no_settings() -> None:
    left = [name for name in os.environ if name.lower().endswith("_proxy")]
    left += [name for name in os.environ if name.startswith("ENTREPOT_")]
    assert set(left) <= {"ENTREPOT_REQUIRE_TOOLS"}


def test_missing_program_skips_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTREPOT_REQUIRE_TOOLS", "0")
    with pytest.raises(pytest.skip.Exception):
        require_program("no-such-program-anywhere")
    monkeypatch.setenv("ENTREPOT_REQUIRE_TOOLS", "1")
    with pytest.raises(pytest.fail.Exception):
        require_program("no-such-program-anywhere")
    assert require_program("sh").name == "sh"


def test_watched_package_is_imported_from_its_source_root() -> None:
    package = importlib.import_module("entrepot")
    assert package is sys.modules["entrepot"]
    assert package.__file__ is not None
