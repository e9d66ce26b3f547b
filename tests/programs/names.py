"""Names that only one program knows."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from programs import require_program


def knowing(
    names: Mapping[str, str], directory: Path, command: Sequence[str | Path]
) -> tuple[str | Path, ...]:
    """`command`, made to find these addresses under these names, and no other names at all.

    It gets an /etc/hosts of its own, in a mount namespace of its own; where we are not root, a user
    namespace as well. Its process id is that of what is started here.
    """
    hosts, switch = directory / "hosts", directory / "nsswitch.conf"
    hosts.write_text("".join(f"{address} {name}\n" for name, address in names.items()))
    switch.write_text("hosts: files\n")
    mounts = " && ".join(
        f"mount --bind {shlex.quote(str(file))} /etc/{file.name}" for file in (hosts, switch)
    )
    as_root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    script = f'{mounts} && exec "$@"'
    return (require_program("unshare"), "--mount", *as_root, "sh", "-c", script, "sh", *command)
