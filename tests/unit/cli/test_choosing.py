"""A command that was told no settings goes by those of the server that runs here."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from entrepot.app import running
from entrepot.cli.choosing import Chosen, adopted, asked_origin, choose, owners
from entrepot.config import AdminSettings, load_settings
from entrepot.config.origin import Origin
from programs.ports import Port

ME = frozenset({os.geteuid()})
STRANGER = frozenset({54321})


def written(directory: Path, **settings: object) -> Path:
    file = directory / "own.yaml"
    file.write_text(json.dumps({"listen": "127.0.0.1:0", **settings}))
    file.chmod(0o644)
    return file


async def test_the_files_of_the_server_that_runs_are_used_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Port() as port:
        file = written(tmp_path, admin=str(port), log={"level": "error"})
        cache = tmp_path / "cache"
        overrides = {"cache": {"path": cache}}
        settings = await asyncio.to_thread(load_settings, file, overrides=overrides)
        system = tmp_path / "system.yaml"
        system.write_text(json.dumps({"admin": str(port)}))
        monkeypatch.setattr("entrepot.config.loading.SYSTEM_FILE", system)
        async with running(settings, origin=Origin(file, None, cache)):
            chosen = await asyncio.to_thread(choose, None, None, None)
            assert chosen == Chosen(settings, file, None)
            told = capsys.readouterr().err
            assert told.count("\n") == 1
            assert f"goes by --config {file} --cache {cache}, and so does this command" in told
            assert await asyncio.to_thread(choose, None, None, cache) == chosen
            _ = capsys.readouterr()
            for words in ((file, None, None), (None, "china", None), (None, None, tmp_path)):
                chosen = await asyncio.to_thread(choose, *words)
                assert (chosen.config, chosen.preset) == words[:2]
                assert chosen.settings.cache.path != cache
            assert capsys.readouterr().err == ""
        assert (await asyncio.to_thread(choose, None, None, None)).config is None


def test_a_strangers_word_counts_only_for_files_that_are_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever takes the port while no server runs must not choose what root goes by."""
    cache = tmp_path / "cache"
    file = written(tmp_path, cache={"path": str(cache)})
    here, elsewhere = Origin(file, None, cache), Origin(file, None, tmp_path / "other")
    assert adopted(here, STRANGER) == Chosen(load_settings(file), file, None)
    assert adopted(elsewhere, STRANGER) is None
    assert "if that server is yours" in capsys.readouterr().err
    mine = adopted(elsewhere, ME)
    assert mine is not None
    assert mine.settings.cache.path == tmp_path / "other"
    file.chmod(0o666)
    for users in (STRANGER, ME | STRANGER, frozenset[int]()):
        assert adopted(here, users) is None
    assert "if you trust who wrote that file" in capsys.readouterr().err
    assert adopted(Origin(tmp_path / "none", None, cache), STRANGER) is None
    assert adopted(here, ME) is not None


def test_a_stranger_is_not_believed_about_a_name_that_may_lead_elsewhere(tmp_path: Path) -> None:
    """Else it is led to another file, with another port and our token, once it has been checked."""
    file = written(tmp_path, cache={"path": "cache"})
    shared = tmp_path / "shared"
    shared.mkdir()
    link = shared / "link.yaml"
    link.symlink_to(file)
    assert adopted(Origin(link, None, shared / "cache"), STRANGER) is None
    own = written(shared, cache={"path": "cache"})
    assert adopted(Origin(own, None, shared / "cache"), STRANGER) is not None
    shared.chmod(0o777)
    assert adopted(Origin(own, None, shared / "cache"), STRANGER) is None


def test_files_that_are_not_here_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server in a container names a path of its own."""
    assert adopted(Origin(tmp_path / "none.yaml", None, tmp_path), ME) is None
    assert "cannot be used here" in capsys.readouterr().err


@contextmanager
def answering_with(text: bytes) -> Iterator[AdminSettings]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                _ = connection.recv(4096)
                connection.sendall(text)

        thread = threading.Thread(target=answer)
        thread.start()
        yield AdminSettings(host="127.0.0.1", port=listener.getsockname()[1])
        thread.join()


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{'",
        b"",
    ],
    ids=["other protocol", "older", "no mapping", "empty", "no json", "nothing"],
)
def test_whoever_else_listens_there_is_nobody(text: bytes) -> None:
    with answering_with(text) as admin:
        assert asked_origin(admin) is None


def test_owner_of_a_listener_is_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert owners(port) == ME
    assert owners(port) == frozenset()
