"""microk8s and k0s: a containerd of their own, with files of its own."""

from __future__ import annotations

from entrepot.setup.containerd import TABLES, legacy_plan
from entrepot.setup.hosts import hosts_files
from entrepot.setup.plan import ROOT, File, Plan
from entrepot.setup.version import Version
from entrepot.setup.wanted import Wanted

_MICROK8S = "/var/snap/microk8s/current/args"
_MICROK8S_13 = Version(1, 19)  # containerd 1.3, which keeps an endpoint's path
_MICROK8S_HOSTS = Version(1, 23)
_MICROK8S_DEFAULT = Version(1, 27)  # containerd 1.6.17 or later
MICROK8S_THRESHOLDS = (Version(1, 14), _MICROK8S_13, _MICROK8S_HOSTS, _MICROK8S_DEFAULT)

_K0S_CERTS_D = "/etc/k0s/certs.d"
_K0S_DROP_IN = "/etc/k0s/containerd.d/entrepot.toml"
_K0S_DROP_INS = Version(1, 27)
_K0S_TWO = Version(1, 35)  # containerd 2
K0S_THRESHOLDS = (Version(0), _K0S_DROP_INS, _K0S_TWO)


def microk8s_plan(version: Version, wanted: Wanted) -> Plan:
    """Its own certs.d from 1.23; before that the template of its config.toml."""
    restart = "snap restart microk8s.daemon-containerd"
    if version >= _MICROK8S_HOSTS:
        return Plan(
            files=hosts_files(
                f"{_MICROK8S}/certs.d", wanted, knows_default=version >= _MICROK8S_DEFAULT
            ),
            notes=("containerd reads hosts.toml anew at every pull.",),
        )
    # With the registry in the path, whichever of containerd 1.3 and 1.4 it is.
    containerd = Version(1, 3) if version >= _MICROK8S_13 else Version(1, 2)
    return legacy_plan(f"{_MICROK8S}/containerd-template.toml", containerd, wanted, restart)


def k0s_plan(version: Version, wanted: Wanted) -> Plan:
    """A drop-in that names a directory, and the files in it."""
    if version < _K0S_DROP_INS:
        return Plan(
            impossible="k0s before 1.27 reads no drop-in files: take over /etc/k0s/containerd.toml"
            " as its documentation says, then use the settings for containerd with"
            f' config_path = "{_K0S_CERTS_D}"'
        )
    number = 3 if version >= _K0S_TWO else 2
    table = f'[{TABLES[number]}.registry]\n  config_path = "{ROOT}{_K0S_CERTS_D}"\n'
    return Plan(
        files=(
            *hosts_files(_K0S_CERTS_D, wanted, knows_default=True),
            File(_K0S_DROP_IN, f"version = {number}\n\n{table}"),
        ),
        restart="systemctl restart k0sworker || systemctl restart k0scontroller",
        notes=("containerd reads hosts.toml anew at every pull.",),
    )
