"""A secret of our own in the cache directory, made when it is first needed."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from entrepot.errors import StoreError
from entrepot.store.nofollow import open_regular
from entrepot.store.ownership import Process
from entrepot.store.placement import fsync_directory, write_durably

_MODE = 0o600


def keep_secret(path: Path) -> str:
    """Read the secret at `path`, or make one that only we can read; does disk I/O.

    StoreError when others can read it, or it is no file of ours.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)  # of one who died here
    write_durably(fresh, f"{secrets.token_urlsafe(32)}\n".encode(), _MODE)
    fresh.rename(path)
    fsync_directory(path.parent)
    return _read(path)


def _read(path: Path) -> str:
    file = open_regular(path, buffering=-1)
    if file is None:
        raise StoreError(f"{path} is not a regular file: remove it, and a new one is made")
    with file:
        status = os.fstat(file.fileno())
        if status.st_uid not in {os.geteuid(), 0}:
            raise StoreError(f"{path} belongs to user {status.st_uid}: remove it, it is made anew")
        # A volume that was handed to our group is ours; see `check_cache`.
        spared = 0o070 if status.st_gid in Process.this().groups else 0
        if stat.S_IMODE(status.st_mode) & 0o077 & ~spared:
            raise StoreError(f"{path} can be read by others: `chmod 600` it, or remove it")
        return file.read(4096).decode(errors="replace").strip()
