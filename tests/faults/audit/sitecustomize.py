"""Imported by the server's Python before anything else: writes down where it connects and writes.

One line for each different thing, as JSON, into the file named by AUDIT_FILE. Python's own audit
events are the source, so nothing the program does with sockets or files through Python is missed;
what C libraries do by themselves (SQLite's files) is.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CONNECTING = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"}
_CHANGING = {
    "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate",
    "os.chmod", "os.chown", "os.mkfifo", "sqlite3.connect", "shutil.rmtree",
}  # fmt: skip
_RUNNING = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "exec.code"}


def _install(path: str) -> None:
    out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    seen: set[tuple[str, str]] = set()

    def told(event: str, what: object) -> None:
        text = os.fsdecode(what) if isinstance(what, bytes | os.PathLike) else str(what)
        if (event, text) not in seen:
            seen.add((event, text))
            os.write(out, (json.dumps([event, text]) + "\n").encode())

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writing = isinstance(flags, int) and flags & _WRITING
            if isinstance(path, str | bytes | os.PathLike) and (
                writing or (isinstance(mode, str) and set(mode) & set("wax+"))
            ):
                told(event, path)
        elif event in _CONNECTING:
            where = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
            told(event, list(where[:2]) if isinstance(where, tuple) else where)
        elif event in _CHANGING:
            for what in arguments[: 2 if event in {"os.rename", "os.link", "os.symlink"} else 1]:
                if isinstance(what, str | bytes | os.PathLike):
                    told(event, what)
        elif event in _RUNNING:
            told(event, arguments[0] if arguments else "")

    sys.addaudithook(hook)


if "AUDIT_FILE" in os.environ:
    _install(os.environ["AUDIT_FILE"])
