"""kind and minikube: files on the host that their nodes get to see."""

from __future__ import annotations

from entrepot.setup.containers import containers_files
from entrepot.setup.hosts import hosts_files
from entrepot.setup.plan import CERTS_D, File, Plan
from entrepot.setup.version import Version
from entrepot.setup.wanted import Wanted

HOME = "@HOME@"
"""Stands in a text for the home directory; in a path that is ~."""

_KIND = ".config/entrepot/kind"
_CA = f"{CERTS_D}/entrepot-ca.crt"
_CONFIGURED = Version(0, 27)  # node images look at certs.d by themselves
KIND_THRESHOLDS = (Version(0), _CONFIGURED)
MINIKUBE_THRESHOLDS = (Version(0),)

_KIND_YAML = """\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
    extraMounts:
      - hostPath: "{home}/{kind}/certs.d"
        containerPath: {certs_d}
        readOnly: true
"""
_KIND_PATCH = """\
containerdConfigPatches:
  - |-
    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = "{certs_d}"
"""


def kind_plan(version: Version, wanted: Wanted) -> Plan:
    """A cluster configuration that mounts a directory of hosts.toml files into the node (M-1)."""
    if wanted.endpoints[0].is_local:
        return Plan(impossible=_local(wanted))
    text = _KIND_YAML.format(home=HOME, kind=_KIND, certs_d=CERTS_D)
    if version < _CONFIGURED:
        text += _KIND_PATCH.format(certs_d=CERTS_D)
    return Plan(
        files=(
            *hosts_files(f"~/{_KIND}/certs.d", wanted, knows_default=True, ca=_CA),
            *_ca_file(f"~/{_KIND}/certs.d", wanted),
            File(f"~/{_KIND}/kind.yaml", text),
        ),
        notes=(
            (
                f"Then: kind create cluster --config ~/{_KIND}/kind.yaml  (add nodes, each with the"
                " same extraMounts). In a node that runs (docker exec NODE sh): the one line"
                " for containerd there."
            ),
        ),
    )


def minikube_plan(version: Version, wanted: Wanted) -> Plan:
    """What lies below ~/.minikube/files is copied into the node at every start (M-2)."""
    del version
    first = wanted.endpoints[0]
    if first.is_local:
        return Plan(impossible=_local(wanted))
    files = "~/.minikube/files"
    own = wanted.own_endpoint("docker.io")
    hub = own.url if own is not None else f"{first.url}/docker.io"
    return Plan(
        files=(
            *hosts_files(f"{files}{CERTS_D}", wanted, knows_default=True, ca=_CA),
            *_ca_file(f"{files}{CERTS_D}", wanted),
            *containers_files(wanted, files),
        ),
        notes=(
            (
                "Then: minikube start (--container-runtime=containerd or cri-o); what is there is"
                " copied into the node at every start."
            ),
            (
                "With the docker runtime, for Docker Hub alone: minikube start"
                f" --registry-mirror={hub} --insecure-registry={first.address}"
            ),
        ),
    )


def _ca_file(directory: str, wanted: Wanted) -> tuple[File, ...]:
    return (File(f"{directory}/entrepot-ca.crt", None),) if wanted.ca is not None else ()


def _local(wanted: Wanted) -> str:
    return (
        f"{wanted.endpoints[0].address} is another machine when it is asked from inside a node."
        " Name the mirror by the address that this host has on its network."
    )
