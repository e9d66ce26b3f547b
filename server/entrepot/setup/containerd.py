"""containerd in each of its generations, and nerdctl, which reads the same files."""

from __future__ import annotations

import json

from entrepot.setup.endpoint import Endpoint
from entrepot.setup.hosts import hosts_files
from entrepot.setup.plan import CERTS_D, CRI, ROOT, File, Merge, Plan
from entrepot.setup.version import Version
from entrepot.setup.wanted import Wanted

CONFIG = "/etc/containerd/config.toml"
RESTART = "systemctl restart containerd"
# Where the CRI plugin's settings stand, by the version of the *file* (C-1, C-2).
TABLES = {
    1: "plugins.cri",
    2: 'plugins."io.containerd.grpc.v1.cri"',
    3: 'plugins."io.containerd.cri.v1.images"',
}

_STAR = Version(1, 3)  # "*" among the mirrors; configs.tls
_NS = Version(1, 4)  # tells which registry it means
_HOSTS = Version(1, 5)  # config_path
_TWO = Version(2)
THRESHOLDS = (Version(1, 2), _STAR, _NS, _HOSTS, Version(1, 6), Version(1, 6, 17), _TWO)

_NO_STRICT = (
    "This containerd asks the registry itself when no mirror has the image, whatever is written:"
    " being strict takes 1.5 or later."
)
_NO_DEFAULT = (
    "This containerd knows no _default directory (that takes 1.6.17): only the registries that"
    " Entrepot serves now are mirrored."
)


def knows_default(version: Version) -> bool:
    """Whether `_default` is looked at: from 1.6.17 and 1.7.0 (C-4)."""
    return version >= Version(1, 6, 17)


def containerd_plan(version: Version, wanted: Wanted) -> Plan:
    """config.toml, and hosts.toml for versions that read it."""
    if version < _HOSTS:
        return legacy_plan(CONFIG, version, wanted, RESTART)
    notes = ["containerd reads hosts.toml anew at every pull."]
    if wanted.everything and not knows_default(version):
        notes.append(_NO_DEFAULT)
    return Plan(
        files=(
            *hosts_files(CERTS_D, wanted, knows_default=knows_default(version)),
            config_path_file(CONFIG, CERTS_D, 3 if version >= _TWO else 2),
        ),
        cri=TABLES[3 if version >= _TWO else 2],
        restart=RESTART,
        notes=tuple(notes),
    )


def config_path_file(path: str, directory: str, config_version: int) -> File:
    """Point a config.toml at one directory (C-9), and take out what may not stand beside it."""
    return File(
        path,
        f'[{CRI}.registry]\n  config_path = "{ROOT}{directory}"\n',
        Merge.TOML,
        drop=(f"{CRI}.registry.mirrors", f"{CRI}.registry.configs.*.tls"),
        new=f"version = {config_version}\n\n",
    )


def legacy_plan(path: str, version: Version, wanted: Wanted, restart: str) -> Plan:
    """`registry.mirrors` in the file at `path`, which 1.5 and later replace by other files."""
    if version < _STAR:
        without = [one for one in wanted.registries if one not in wanted.ports]
        if without == list(wanted.registries):
            return Plan(impossible=own_port_needed("containerd before 1.3", "k8s.gcr.io", 5002))
        mirrors = {one: [own.url] for one in wanted.registries if (own := wanted.own_endpoint(one))}
        notes = []
        if without:
            notes.append(f"Not mirrored, for want of a port of their own: {', '.join(without)}.")
        if wanted.ca is not None:
            notes.append("This containerd trusts only the system's certificates: add the CA there.")
    else:
        names = [*wanted.registries]
        if wanted.everything and version >= _NS:
            names.append("*")
        mirrors = {
            one: [_with_path(endpoint, one, version) for endpoint in wanted.endpoints]
            for one in names
        }
        notes = []
        if wanted.everything and version < _NS:
            notes.append("This containerd does not tell which registry it means: only these.")
    if wanted.strict:
        notes.append(_NO_STRICT)
    config = 1 if version < _STAR else 2
    return Plan(
        files=(_legacy_file(path, mirrors, wanted, config, with_tls=version >= _STAR),),
        cri=TABLES[config],
        restart=restart,
        notes=tuple(notes),
    )


def _with_path(endpoint: Endpoint, registry: str, version: Version) -> str:
    """1.3 names no registry in its requests, but keeps the path: no slash at its end (S6)."""
    if version < _NS:
        return f"{endpoint.url}/v2/{registry}"
    return endpoint.url


def _legacy_file(
    path: str, mirrors: dict[str, list[str]], wanted: Wanted, config: int, *, with_tls: bool
) -> File:
    """Tables of `registry.mirrors` (C-1, C-2); an endpoint has its scheme written (C-3)."""
    text = "".join(
        f'[{CRI}.registry.mirrors."{name}"]\n  endpoint = {json.dumps(endpoints)}\n'
        for name, endpoints in mirrors.items()
    )
    if wanted.ca is not None and with_tls:
        text += "".join(
            f'[{CRI}.registry.configs."{one.address}".tls]\n  ca_file = "{ROOT}{wanted.ca}"\n'
            for one in dict.fromkeys(wanted.endpoints)
            if not one.is_plain
        )
    return File(path, text, Merge.TOML, new="version = 2\n\n" if config > 1 else "")


def own_port_needed(who: str, registry: str, port: int) -> str:
    """Say what a client lacks that names no registry (S-5)."""
    return (
        f"{who} does not tell which registry it means. Give Entrepot a port that stands for one,"
        f' in entrepot.yaml:  listen: ["0.0.0.0:5000",'
        f' {{address: "0.0.0.0:{port}", registry: {registry}}}]'
    )


def nerdctl_plan(version: Version, wanted: Wanted) -> Plan:
    """Give nerdctl the same files, for it looks at the directory by itself (C-10)."""
    del version
    return Plan(
        files=hosts_files(CERTS_D, wanted, knows_default=True),
        notes=("Rootless nerdctl reads ~/.config/containerd/certs.d instead.",),
    )
