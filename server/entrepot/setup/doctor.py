"""The script that looks for what is wrong on a node, and tells how to mend it."""

from __future__ import annotations

import shlex

from entrepot.setup.script import SHELL
from entrepot.setup.wanted import Wanted

PARTS = (
    "doctor.sh",
    "doctor-containerd.sh",
    "doctor-hosts.sh",
    "doctor-images.sh",
    "doctor-others.sh",
)
"""Its own parts, among those of all scripts."""


def doctor_script(wanted: Wanted | None) -> str:
    """Write the script; without `wanted` it looks only at the mirrors that the node asks now."""
    mirrors = " ".join(one.url for one in wanted.endpoints) if wanted is not None else ""
    ca = (wanted.ca if wanted is not None else None) or ""
    return "\n".join(
        [
            "#!/bin/sh",
            "# Entrepot: what is wrong with the container runtime of this node; changes nothing.",
            "set -eu",
            "",
            SHELL["common.sh"],
            SHELL["inforce.sh"],
            *(SHELL[name] for name in PARTS),
            f"mirrors={shlex.quote(mirrors)}",
            f"ca={shlex.quote(ca)}",
            "",
            'main "$@"',
            "",
        ]
    )
