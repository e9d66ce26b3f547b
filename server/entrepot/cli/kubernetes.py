"""`--kubernetes v1.30.5`: the images that a version of Kubernetes needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from entrepot.config.kubernetes import kubernetes_images

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Needed:
    """What kubeadm pulls, and `extras`: other sandbox images that some runtimes ask for.

    Which of those depends on the runtime and its settings, so that nothing fails for their sake.
    """

    images: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


def kubernetes_option(command: F) -> F:
    """Give a command `--kubernetes`, once or more; as `kubernetes`, a `Needed`."""
    return click.option(
        "--kubernetes",
        metavar="VERSION",
        multiple=True,
        callback=lambda _context, _parameter, told: images_for(told),
        help="All that kubeadm pulls for a version, as v1.30.5, and, as far as it is to be had,"
        " what containerd asks for besides.",
    )(command)


def images_for(versions: Sequence[str]) -> Needed:
    """Name what kubeadm pulls for the versions, and every sandbox image containerd may ask for."""
    table = kubernetes_images()
    try:
        images, extras = table.needed(versions)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return Needed(images, extras)
