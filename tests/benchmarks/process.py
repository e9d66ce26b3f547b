"""CPU time and memory of a program and its children, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> Iterator[int]:
    """`pid` and all its living descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # a thread that has ended meanwhile
        for child in children:
            yield from family(int(child))


def cpu_s(pid: int) -> float:
    """User and system seconds used so far by the whole family."""
    total = 0
    for member in family(pid):
        # The command's name is in parentheses and may hold spaces.
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total * _TICK_S


def peak_rss_bytes(pid: int) -> int:
    """The largest resident size any one member has had since `forget_peak`."""
    return max(_status_bytes(member, "VmHWM") for member in family(pid))


def rss_bytes(pid: int) -> int:
    """The resident size of the one process."""
    return _status_bytes(pid, "VmRSS")


def threads(pid: int) -> int:
    """How many threads the one process has."""
    return int(_status(pid, "Threads"))


def put_ahead(pid: int) -> None:
    """Have the one process run before all that is not ahead as well; only root may."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setscheduler(int(task.name), os.SCHED_RR, os.sched_param(1))


def open_files(pid: int) -> list[str]:
    """What the one process has open, as the kernel names it: paths, `socket:[...]` and the like."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:
            continue  # closed meanwhile
    return sorted(found)


def forget_peak(pid: int) -> None:
    """Let the peak start again from the present size."""
    for member in family(pid):
        Path(f"/proc/{member}/clear_refs").write_text("5")


def _status_bytes(pid: int, key: str) -> int:
    return int(_status(pid, key).split()[0]) * 1024


def _status(pid: int, key: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return value.strip()
    raise KeyError(key)
