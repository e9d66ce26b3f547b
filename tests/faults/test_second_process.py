"""Two servers on one cache directory: the second says who has it, and ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from programs.daemon import plain_environment, run
from programs.entrepot import Entrepot
from programs.ports import Port

pytestmark = pytest.mark.faults


async def test_the_second_names_the_first_and_ends(tmp_path: Path) -> None:
    async with Entrepot({}, tmp_path / "entrepot") as entrepot:
        port, file = Port(), tmp_path / "second.yaml"
        file.write_text(
            json.dumps(
                {"listen": str(port), "admin": "none", "cache": {"path": str(entrepot.cache)}}
            )
        )
        command = (*entrepot.command[:-1], file)
        with pytest.raises(RuntimeError) as told:
            await run(*command, environment=plain_environment(tmp_path))
        port.close()
        said = str(told.value)
        assert "status 1\n" in said
        assert f"{entrepot.cache} is in use by process {entrepot.pid}" in said
        assert "Traceback" not in said
