"""A file of names and passwords, as `htpasswd -B` writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")


def read_htpasswd(text: str) -> Mapping[str, bytes]:
    """Give the bcrypt hash of each name; ValueError names the first line that is none.

    Other kinds of hashes (`htpasswd` without -B) are refused: they can be guessed too quickly.
    """
    users: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, hashed = line.strip().partition(":")
        if not name or not _BCRYPT.fullmatch(hashed):
            raise ValueError(f"line {number} is not NAME:HASH with a bcrypt hash; use htpasswd -B")
        if name in users:
            raise ValueError(f"line {number} gives a name a second time")
        users[name] = hashed.encode()
    if not users:
        raise ValueError("nobody is in this file; add somebody with htpasswd -B")
    return users
