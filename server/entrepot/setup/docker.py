"""dockerd: daemon.json, and from 29 on hosts.toml as well (rules D-1 to D-6)."""

from __future__ import annotations

import json

from entrepot.setup.containerd import own_port_needed
from entrepot.setup.hosts import hosts_files
from entrepot.setup.plan import File, Merge, Plan
from entrepot.setup.version import Version
from entrepot.setup.wanted import Wanted

DAEMON_JSON = "/etc/docker/daemon.json"
CERTS_D = "/etc/docker/certs.d"

_PATHS = Version(25)  # a registry mirror may have a path; before, dockerd does not start with one
_HOSTS = Version(29)
THRESHOLDS = (Version(1), _PATHS, _HOSTS)

_HUB = "docker.io"


def docker_plan(version: Version, wanted: Wanted) -> Plan:
    """The mirror of Docker Hub in daemon.json; before 29 it is the only registry that has one.

    Where that is not wanted, or not served, only images by the mirror's own name are pulled there.
    """
    hub = _HUB in wanted.registries
    own = wanted.own_endpoint(_HUB) if hub else None
    if not hub:
        mirrors = []
    elif own is not None:
        mirrors = [own.url]
    elif version >= _PATHS:
        mirrors = [f"{endpoint.url}/{_HUB}" for endpoint in wanted.endpoints]
    else:
        return Plan(impossible=own_port_needed("Docker before 25", _HUB, 5003))
    endpoints = [*wanted.endpoints, *([own] if own else [])]
    insecure = list(dict.fromkeys(one.address for one in endpoints if one.is_plain))
    settings = {"registry-mirrors": mirrors, "insecure-registries": insecure}
    files = []
    if mirrors or insecure:
        text = json.dumps({key: value for key, value in settings.items() if value}, indent=2)
        files.append(File(DAEMON_JSON, f"{text}\n", Merge.JSON))
    if wanted.ca is not None:
        secure = dict.fromkeys(one.address for one in endpoints if not one.is_plain)
        files += [File(f"{CERTS_D}/{address}/ca.crt", None) for address in secure]
    if version >= _HOSTS:
        files += hosts_files(CERTS_D, wanted, knows_default=True)
    return Plan(
        files=tuple(files),
        restart="systemctl reload docker",
        notes=tuple(_notes(version, wanted)),
    )


def _notes(version: Version, wanted: Wanted) -> list[str]:
    prefixed = f"docker pull {wanted.endpoints[0].address}/k8s.gcr.io/pause:3.1"
    if version >= _HOSTS:
        return [
            (
                "The files below certs.d count with the containerd image store (`docker info` says"
                f" io.containerd.snapshotter.v1); with the classic one write {prefixed}"
            )
        ]
    alone = "This Docker mirrors Docker Hub alone"
    if _HUB not in wanted.registries:
        alone += ", which is not among these registries"
    notes = [
        (
            f"{alone}. Anything else by way of the mirror:"
            f" {prefixed}  (29 with the containerd image store mirrors all)"
        )
    ]
    if wanted.strict:
        notes.append("This Docker asks Docker Hub itself when the mirror has not got an image.")
    return notes
