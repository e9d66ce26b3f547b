"""BuildKit: buildkitd.toml (rule B-1)."""

from __future__ import annotations

import json

from entrepot.setup.plan import ROOT, File, Merge, Plan
from entrepot.setup.version import Version
from entrepot.setup.wanted import Wanted

CONFIG = "/etc/buildkit/buildkitd.toml"
THRESHOLDS = (Version(0),)


def buildkit_plan(version: Version, wanted: Wanted) -> Plan:
    """Mirrors of each registry, and how to speak with the mirrors: the scheme stands apart."""
    del version
    endpoints = list(dict.fromkeys(wanted.endpoints))
    addresses = json.dumps([endpoint.address for endpoint in endpoints])
    tables = [f'[registry."{name}"]\n  mirrors = {addresses}\n' for name in wanted.registries]
    for endpoint in endpoints:
        if endpoint.is_plain:
            tables.append(f'[registry."{endpoint.address}"]\n  http = true\n')
        elif wanted.ca is not None:
            tables.append(f'[registry."{endpoint.address}"]\n  ca = ["{ROOT}{wanted.ca}"]\n')
    notes = ["For docker buildx: docker buildx create --use --config /etc/buildkit/buildkitd.toml"]
    if wanted.strict:
        notes.append("BuildKit asks the registry itself when no mirror has the image.")
    return Plan(
        files=(File(CONFIG, "\n".join(tables), Merge.TOML),),
        restart="systemctl restart buildkit",
        notes=tuple(notes),
    )
