"""`entrepot status`, of a server and of a directory."""

from __future__ import annotations

import json
from pathlib import Path

from unit.cli.stopped import Stopped
from unit.cli.test_offline import configured
from unit.web.serving import serving


async def test_of_a_server(tmp_path: Path) -> None:
    async with serving(tmp_path, "http://127.0.0.1:1") as server:
        site = configured(server, tmp_path)
        text, document = await site.run("status"), await site.run("status", "--json")
    assert (text.exit_code, document.exit_code) == (0, 0)
    assert "nothing is being downloaded" in text.output
    assert "127.0.0.1:1" in text.output
    assert "free on the disk" in text.output
    assert json.loads(document.output)["mirrors"][0]["state"] == "closed"


async def test_of_a_directory(stopped: Stopped) -> None:
    text, document = await stopped.run("status"), await stopped.run("status", "--json")
    assert text.output.startswith("no server runs on this cache\n7 blobs, ")
    assert json.loads(document.output)["blobs"] == 7
