"""podman, CRI-O, skopeo and buildah: one registries.conf (rules P-1, P-2)."""

from __future__ import annotations

from entrepot.setup.endpoint import Endpoint
from entrepot.setup.plan import File, Plan
from entrepot.setup.version import Version
from entrepot.setup.wanted import Wanted

# The last of its directory: of two files that say something of a registry the later one counts.
DROP_IN = "/etc/containers/registries.conf.d/zz-entrepot.conf"

THRESHOLDS = (Version(0),)


def podman_plan(version: Version, wanted: Wanted) -> Plan:
    """One drop-in file, read at every pull."""
    del version
    return Plan(
        files=(*containers_files(wanted),),
        notes=(
            (
                "podman, skopeo and buildah read it at every pull; `skopeo inspect` asks the"
                " registry itself for tags unless it is given --no-tags."
            ),
        ),
    )


def crio_plan(version: Version, wanted: Wanted) -> Plan:
    """The same file, which CRI-O reads when it is told to."""
    del version
    return Plan(files=(*containers_files(wanted),), restart="systemctl reload crio")


def containers_files(wanted: Wanted, before: str = "") -> tuple[File, ...]:
    """The drop-in, and the CA where these programs look for one; `before` goes before the paths."""
    files = [File(f"{before}{DROP_IN}", registries_conf(wanted))]
    if wanted.ca is not None:
        files += [
            File(f"{before}/etc/containers/certs.d/{endpoint.address}/ca.crt", None)
            for endpoint in dict.fromkeys(wanted.endpoints)
            if not endpoint.is_plain
        ]
    return tuple(files)


def registries_conf(wanted: Wanted) -> str:
    """Each registry by way of the mirrors; the registry's name stands in the path, for want of ns.

    The mirrors come first and the location last; a strict file makes the last mirror the location.
    There is no word for all registries.
    """
    return "\n".join(_registry(name, wanted) for name in wanted.registries)


def _registry(name: str, wanted: Wanted) -> str:
    lines = ["[[registry]]", f'prefix = "{name}"']
    endpoints = list(dict.fromkeys(wanted.endpoints))
    if wanted.strict:
        lines += _location(endpoints.pop(), name)
    else:
        lines.append(f'location = "{_real(name)}"')
    for endpoint in endpoints:
        lines += ["", "[[registry.mirror]]", *_location(endpoint, name)]
    return "\n".join([*lines, ""])


def _location(endpoint: Endpoint, name: str) -> list[str]:
    insecure = ["insecure = true"] if endpoint.is_plain else []
    return [f'location = "{endpoint.address}/{name}"', *insecure]


def _real(name: str) -> str:
    return "registry.k8s.io" if name == "k8s.gcr.io" else name
