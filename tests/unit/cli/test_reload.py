"""`entrepot reload` asks the server that runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner

from entrepot.app import running
from entrepot.cli import main
from entrepot.config import load_settings
from unit.cli.stopped import Stopped


def rewrite(file: Path, **changes: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


async def run(file: Path) -> tuple[int, str, str]:
    arguments = ["reload", "--config", str(file)]
    result = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    return result.exit_code, result.stdout, result.stderr


async def test_it_tells_what_changed_what_will_and_what_is_wrong(tmp_path: Path) -> None:
    file, asked = tmp_path / "entrepot.yaml", tmp_path / "asked.yaml"
    told = {
        "listen": "127.0.0.1:0",
        "admin": "127.0.0.1:0",
        "cache": {"path": str(tmp_path / "cache")},
    }
    file.write_text(json.dumps(told))
    settings = await asyncio.to_thread(load_settings, file)
    async with running(settings, lambda: load_settings(file)) as server:
        # The command's own file is another here, for the port is any.
        asked.write_text(json.dumps({**told, "admin": server.admin_address}))
        assert await run(asked) == (0, "nothing has changed\n", "")
        rewrite(file, tags={"ttl": 1}, listen="127.0.0.1:1")
        assert await run(asked) == (0, "changed: tags.ttl\n", "only after a restart: listen\n")
        rewrite(file, tags={"tll": 1})
        code, output, errors = await run(asked)
        assert (code, output) == (2, "")
        assert "did you mean ttl?" in errors
        assert server.generations.current.settings.tags.ttl == 1


async def test_a_directory_has_nobody_to_reload(stopped: Stopped) -> None:
    result = await stopped.run("reload")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no server runs" in result.stderr
