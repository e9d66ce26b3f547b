from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from entrepot.errors import StoreLocked
from entrepot.store.lock import DirectoryLock, is_locked

HOLD = """
import sys, pathlib
from entrepot.store.lock import DirectoryLock, is_locked
DirectoryLock(pathlib.Path(sys.argv[1])).acquire()
print("locked", flush=True)
sys.stdin.read()
"""


def test_second_holder_is_refused_and_told_the_pid(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path / "lock"), DirectoryLock(tmp_path / "lock")
    first.acquire()
    with pytest.raises(StoreLocked, match=rf"process {os.getpid()}\b"):
        second.acquire()
    first.release()


def test_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path / "lock"), DirectoryLock(tmp_path / "lock")
    first.acquire()
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path / "lock")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(StoreLocked, match=rf"process {holder.pid}\b"):
            lock.acquire()
        holder.kill()
        holder.wait()
    lock.acquire()
    lock.release()


def test_a_lock_that_cannot_be_made_leaves_no_descriptor(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError):
        DirectoryLock(tmp_path / "missing" / "lock").acquire()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_lock_that_cannot_be_written_leaves_no_descriptor(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError):
        DirectoryLock(tmp_path / "lock").acquire()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_whether_it_is_held_can_be_seen_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    lock = DirectoryLock(path)
    lock.acquire()
    assert is_locked(path)
    lock.release()
    assert not is_locked(path)
    assert path.read_text() == f"{os.getpid()}\n"


def test_what_cannot_be_looked_at_counts_as_held(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    assert is_locked(tmp_path / "lock")
