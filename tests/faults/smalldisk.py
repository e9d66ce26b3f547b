"""A real file system of a few megabytes, mounted for a test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

MIB = 1 << 20
_SPARE_BYTES = 4096


@contextmanager
def small_disk(path: Path, size: int, kind: str = "tmpfs") -> Iterator[Path]:
    """Mount `size` bytes of tmpfs or ext4 at `path`/disk; skips where nobody may mount."""
    where = path / "disk"
    where.mkdir()
    if kind == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(where)]
    else:
        image = path / "disk.image"
        with image.open("wb") as file:
            file.truncate(size)
        _run(["mkfs.ext4", "-q", "-m", "0", str(image)])
        command = ["mount", "-o", "loop", str(image), str(where)]
    _run(command)
    try:
        where.chmod(0o700)
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=True, capture_output=True)


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        told = f"{' '.join(command)}: {getattr(error, 'stderr', '') or error}"
        if os.environ.get("ENTREPOT_REQUIRE_TOOLS"):
            pytest.fail(told)
        pytest.skip(told)


def fill_up(disk: Path, leave: int = 0) -> Path:
    """Write a file of somebody else's until at most `leave` bytes fit; the file."""
    other = disk / "of somebody else"
    with other.open("wb", buffering=0) as file:
        left = free_bytes(disk) - leave
        try:
            while left > 0:
                left -= file.write(bytes(min(left, 64 << 10)))
            while leave == 0:
                file.write(bytes(_SPARE_BYTES))
        except OSError:
            pass
    return other


def free_bytes(disk: Path) -> int:
    """How much may still be written."""
    space = os.statvfs(disk)
    return space.f_bavail * space.f_frsize


_EVERY_CACHE_HAS = ("catalog.db", "lock", "VERSION", "admin-token", "ballast")


def files(disk: Path) -> dict[str, int]:
    """Every file below `disk` with its length, but those that every cache has.

    Directories and files that go while we look are none: `Path.rglob` would stumble over them.
    """
    found = {}
    for directory, _, names in os.walk(disk):
        for name in names:
            if not name.startswith(_EVERY_CACHE_HAS):
                with suppress(FileNotFoundError):
                    path = Path(directory) / name
                    found[str(path.relative_to(disk))] = path.lstat().st_size
    return dict(sorted(found.items()))


def relay_memory_bytes(pid: int) -> int:
    """What the process holds in memory files now."""
    held: dict[int, int] = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if "memfd:entrepot-relay" in str(entry.readlink()):
                status = entry.stat()
                held[status.st_ino] = status.st_blocks * 512
        except FileNotFoundError:
            continue
    return sum(held.values())
