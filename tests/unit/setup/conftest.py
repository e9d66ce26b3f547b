"""A node that is a directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from programs.node import Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """With a curl that finds every mirror well: these tests are about files."""
    node = Node(tmp_path)
    node.program("curl", "{}")
    return node
