"""The clients by name: what they are called, how they tell their version, what they are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from entrepot.setup import (
    buildkit,
    clusters,
    containerd,
    containers,
    distributions,
    docker,
    rancher,
)
from entrepot.setup.plan import Plan
from entrepot.setup.version import Version
from entrepot.setup.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Client:
    """`plan` may change its mind at each of `thresholds`, in ascending order, and only there.

    `ask` is a shell command that prints the version; the first word with a digit in front counts.
    """

    name: str
    title: str
    ask: str
    thresholds: tuple[Version, ...]
    plan: Callable[[Version, Wanted], Plan]

    def generations(self, wanted: Wanted) -> list[tuple[Version, Plan]]:
        """Each version from which on something else is to be written, and what."""
        found: list[tuple[Version, Plan]] = []
        for version in self.thresholds:
            plan = self.plan(version, wanted)
            if not found or found[-1][1] != plan:
                found.append((version, plan))
        return found


_DOCKER_ASK = "docker version -f '{{.Server.Version}}' || dockerd --version"
_CLIENTS = (
    Client(
        "containerd",
        "containerd",
        "containerd --version",
        containerd.THRESHOLDS,
        containerd.containerd_plan,
    ),
    Client("docker", "Docker", _DOCKER_ASK, docker.THRESHOLDS, docker.docker_plan),
    Client(
        "podman",
        "podman, skopeo and buildah",
        "podman --version || buildah --version || skopeo --version",
        containers.THRESHOLDS,
        containers.podman_plan,
    ),
    Client("crio", "CRI-O", "crio --version", containers.THRESHOLDS, containers.crio_plan),
    Client("k3s", "k3s", "k3s --version", rancher.THRESHOLDS, rancher.k3s_plan),
    Client("rke2", "RKE2", "rke2 --version", rancher.THRESHOLDS, rancher.rke2_plan),
    Client(
        "microk8s",
        "microk8s",
        "microk8s version || snap list microk8s",
        distributions.MICROK8S_THRESHOLDS,
        distributions.microk8s_plan,
    ),
    Client("k0s", "k0s", "k0s version", distributions.K0S_THRESHOLDS, distributions.k0s_plan),
    Client(
        "buildkit",
        "BuildKit",
        "buildkitd --version",
        buildkit.THRESHOLDS,
        buildkit.buildkit_plan,
    ),
    Client("kind", "kind", "kind version", clusters.KIND_THRESHOLDS, clusters.kind_plan),
    Client(
        "minikube",
        "minikube",
        "minikube version --short",
        clusters.MINIKUBE_THRESHOLDS,
        clusters.minikube_plan,
    ),
    Client("nerdctl", "nerdctl", "nerdctl --version", (Version(0),), containerd.nerdctl_plan),
)
CLIENTS = MappingProxyType({client.name: client for client in _CLIENTS})
"""Every client that there are settings for, by the name it has on the command line."""
