"""The facts a figure is worth nothing without: the machine, the programs, the commit."""

from __future__ import annotations

import asyncio
import os
import platform
import re
from asyncio.subprocess import PIPE, STDOUT
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PROGRAMS = {
    "nginx": ("nginx", "-v"),
    "docker-registry": ("docker-registry", "--version"),
    "wrk": ("wrk", "--version"),
    "curl": ("curl", "--version"),
}
_PACKAGES = ("entrepot", "aiohttp")
_ROOT = Path(__file__).parents[2]

Fact = str | int | float | bool


async def _output(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    out, _ = await process.communicate()
    return out.decode().strip()


async def _version(*command: str) -> str:
    found = re.search(r"\d+\.\d\S*", await _output(*command))
    return found[0] if found else "unknown"


def _cpu_model() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _filesystem(directory: Path) -> str:
    """The type of the file system that holds the caches."""
    best = ("", "")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        if directory.is_relative_to(mount) and len(mount) > len(best[0]):
            best = (mount, kind)
    return best[1]


async def facts(directory: Path) -> dict[str, Fact]:
    """Everything about this run that is not a measurement; `directory` is where it runs."""
    git = ("git", "-C", str(_ROOT))
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": await _output(*git, "rev-parse", "--short=12", "HEAD"),
        "server_modified": bool(await _output(*git, "status", "--porcelain", "--", "server")),
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "filesystem": _filesystem(directory),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        **{name: await _version(*command) for name, command in PROGRAMS.items()},
    }
