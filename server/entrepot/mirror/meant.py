"""What somebody may have meant who wrote `pause:3.1`, which is an image of Docker Hub's by rule."""

from __future__ import annotations

from collections.abc import Iterable

from entrepot.config.kubernetes import REGISTRY, kubernetes_images
from entrepot.mirror.names import NameTable
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.trust.pins import Pins

_DOCKER = "docker.io"
_LIBRARY = "library/"


def namesakes(
    registry: str, repository: RepositoryName, tag: Tag, names: NameTable
) -> tuple[tuple[str, RepositoryName, Tag], ...]:
    """Give the same path and tag in every other registry; nothing for one but Docker Hub."""
    if registry != _DOCKER:
        return ()
    written = RepositoryName(repository.removeprefix(_LIBRARY))
    return tuple((other, written, tag) for other in names.registries if other != _DOCKER)


def is_known(
    registry: str, repository: RepositoryName, tag: Tag, names: NameTable, pins: Pins
) -> bool:
    """Whether pins or kubeadm's table name it. Reads the disk the first time."""
    if pins.pin(registry, repository, tag) is not None:
        return True
    of_kubernetes = names.canonical(REGISTRY) == registry
    return of_kubernetes and kubernetes_images().names(f"{repository}:{tag}")


def instead(found: Iterable[str]) -> str:
    """Write the end of a message, for images that are known."""
    told = " or ".join(found)
    return f"; did you mean {told}?" if told else ""
