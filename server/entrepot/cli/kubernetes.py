"""`--kubernetes v1.30.5`: the images that a version of Kubernetes needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from entrepot.config.kubernetes import kubernetes_images

F = TypeVar("F", bound=Callable[..., Any])


def kubernetes_option(command: F) -> F:
    """Give a command `--kubernetes`, once or more; as `kubernetes`, the names of the images."""
    return click.option(
        "--kubernetes",
        metavar="VERSION",
        multiple=True,
        callback=lambda _context, _parameter, told: images_for(told),
        help="All that kubeadm and containerd pull for a version, as v1.30.5.",
    )(command)


def images_for(versions: Sequence[str]) -> tuple[str, ...]:
    """Name what kubeadm pulls for the versions, and every sandbox image containerd may ask for."""
    if not versions:
        return ()
    table = kubernetes_images()
    try:
        own = [image for version in versions for image in table.images(version)]
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return tuple(dict.fromkeys((*own, *table.sandboxes)))
