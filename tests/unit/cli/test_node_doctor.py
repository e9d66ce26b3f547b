"""`entrepot node-doctor`, as a person types it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from entrepot.cli import main
from programs.node import Node


async def test_it_tells_what_the_servers_script_tells(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.containerd("1.7.0")
    node.program("curl", "{}")
    with pytest.raises(RuntimeError, match=r"!!  no-mirror: (.|\n)*curl -fsSL http://m:5000/setup"):
        await node.command(sys.executable, "-m", "entrepot", "node-doctor", "m:5000")
    with pytest.raises(RuntimeError, match="curl -fsSL http://MIRROR:5000/setup"):
        await node.command(sys.executable, "-m", "entrepot", "node-doctor")


def test_only_an_address_is_a_mirror() -> None:
    result = CliRunner().invoke(main, ["node-doctor", "a b"])
    assert result.exit_code == 2
    assert "not the address" in result.output
