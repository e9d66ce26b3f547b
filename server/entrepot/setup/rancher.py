"""k3s and RKE2: registries.yaml, from which they write containerd's files (rules K-1, K-2)."""

from __future__ import annotations

from functools import partial

from entrepot.setup.plan import ROOT, File, Merge, Plan
from entrepot.setup.version import Version
from entrepot.setup.wanted import Wanted

_NS = Version(1, 19)  # containerd 1.4, which tells which registry it means
# "*" and disable-default-registry-endpoint came in January 2024 to four minors at once.
_JANUARY_2024 = (Version(1, 26, 13), Version(1, 27, 10), Version(1, 28, 6), Version(1, 29, 1))
THRESHOLDS = (
    Version(0),
    _NS,
    *sorted({one for late in _JANUARY_2024 for one in (Version(late.major, late.minor), late)}),
)


def _since_2024(version: Version) -> bool:
    return version >= _JANUARY_2024[-1] or any(
        version >= late and version.minor == late.minor for late in _JANUARY_2024
    )


def _rancher_plan(name: str, version: Version, wanted: Wanted) -> Plan:
    """registries.yaml; ns is sent, so nothing is rewritten (peers: k3s#7007)."""
    late = _since_2024(version)
    notes = [f"On an agent: systemctl restart {name}-agent. Pods go on running."]
    names = [*wanted.registries]
    if wanted.everything:
        if late:
            names.append("*")
        else:
            notes.append(f'This {name} knows no "*": only these registries are mirrored.')
    text = "mirrors:\n" + "".join(_mirror(one, version, wanted) for one in names)
    secure = [one for one in dict.fromkeys(wanted.endpoints) if not one.is_plain]
    if wanted.ca is not None:
        text += "configs:\n" + "".join(
            f'  "{one.address}":\n    tls:\n      ca_file: "{ROOT}{wanted.ca}"\n' for one in secure
        )
    files = [File(f"/etc/rancher/{name}/registries.yaml", text, Merge.YAML)]
    if wanted.strict and late:
        strict = "disable-default-registry-endpoint: true\n"
        files.append(File(f"/etc/rancher/{name}/config.yaml.d/99-entrepot.yaml", strict))
    elif wanted.strict:
        notes.append(f"This {name} cannot be kept from asking the registry itself last.")
    unit = "k3s" if name == "k3s" else "rke2-server"
    return Plan(files=tuple(files), restart=f"systemctl restart {unit}", notes=tuple(notes))


def _mirror(registry: str, version: Version, wanted: Wanted) -> str:
    path = f"/v2/{registry}" if version < _NS else ""
    # Twice the same endpoint voids the file that k3s writes (k3s#9693).
    lines = [f'      - "{one.url}{path}"\n' for one in dict.fromkeys(wanted.endpoints)]
    return f'  "{registry}":\n    endpoint:\n' + "".join(lines)


k3s_plan = partial(_rancher_plan, "k3s")
rke2_plan = partial(_rancher_plan, "rke2")
