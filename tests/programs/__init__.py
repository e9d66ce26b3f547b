"""Launchers of real programs, each in its own directory, on its own ports, ended by its own id."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_ALSO_IN = ("/usr/sbin", "/sbin", "/usr/local/sbin")


def require_program(name: str) -> Path:
    """The path of `name`; without it the test is skipped, or failed under ENTREPOT_REQUIRE_TOOLS=1.

    The sbin directories count even when PATH leaves them out.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_ALSO_IN])
    found = shutil.which(name, path=path)
    if found is not None:
        return Path(found)
    if os.environ.get("ENTREPOT_REQUIRE_TOOLS") == "1":
        pytest.fail(f"{name} is not installed, and ENTREPOT_REQUIRE_TOOLS=1")
    pytest.skip(f"{name} is not installed")
