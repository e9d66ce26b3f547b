"""Sockets that are handed on, and what the manager hears."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.activation import Handed, notify


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one


def port_of(one: socket.socket) -> int:
    return int(one.getsockname()[1])


def test_a_socket_is_found_by_its_address_once(listening: socket.socket) -> None:
    handed, port = Handed([listening]), port_of(listening)
    assert list(handed) == [f"127.0.0.1:{port}"]
    assert handed.take("127.0.0.1", port + 1) is None
    assert handed.take("10.0.0.5", port) is None
    assert handed.take("127.0.0.1", port) is listening
    assert handed.take("127.0.0.1", port) is None
    assert list(handed) == []


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::"])
def test_everywhere_is_here_too(listening: socket.socket, everywhere: str) -> None:
    assert Handed([listening]).take(everywhere, port_of(listening)) is listening


def test_nothing_is_taken_that_was_meant_for_another_process() -> None:
    environment = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x", "HOME": "/"}
    assert list(Handed.on(environment)) == []
    assert environment == {"HOME": "/"}
    assert list(Handed.on({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "nonsense"})) == []
    assert list(Handed.on({})) == []


def test_the_manager_hears_it(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        notify({"NOTIFY_SOCKET": path}, "READY=1", "STATUS=well")
        assert manager.recv(100) == b"READY=1\nSTATUS=well"
    notify({"NOTIFY_SOCKET": path}, "READY=1")  # nobody is there any more
    notify({"NOTIFY_SOCKET": "relative"}, "READY=1")
    notify({}, "READY=1")
