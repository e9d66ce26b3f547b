"""What is fetched ahead, and when, as the settings have it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

from entrepot.config.frozen import Frozen
from entrepot.config.kubernetes import kubernetes_images
from entrepot.errors import DigestInvalid
from entrepot.oci.pattern import ImagePattern

_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9]+(?:/[a-z0-9]+)?")


def parse_times(value: object) -> object:
    """Read "01:30", or a list of such, as minutes after midnight; ValueError for other text."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not value:
        raise ValueError('not a time of the day: write it as "01:30"')
    return tuple(_minute(each) for each in value)


def parse_image(value: object) -> object:
    """Read the whole name of one image; ValueError."""
    try:
        image = ImagePattern.parse(value if isinstance(value, str) else "")
    except DigestInvalid as error:
        raise ValueError(str(error)) from error
    if any(wild in str(value) for wild in "*?") or (image.tag is None and image.digest is None):
        raise ValueError("not one image: write it with its tag, as docker.io/library/nginx:1.27")
    return value


def parse_version(value: object) -> object:
    """Read a version of Kubernetes that the table knows; ValueError."""
    kubernetes_images().images(value if isinstance(value, str) else "")
    return value


def parse_platform(value: object) -> object:
    """Read linux/arm64; ValueError for anything else."""
    if not isinstance(value, str) or not _PLATFORM.fullmatch(value):
        raise ValueError("not a platform: write linux/amd64 or linux/arm/v7")
    return value


class PrefetchSettings(Frozen):
    """Images that are fetched every day at some times, in minutes after midnight, local time."""

    at: Annotated[tuple[int, ...], BeforeValidator(parse_times)]
    images: tuple[Annotated[str, BeforeValidator(parse_image)], ...] = ()
    # All that kubeadm and containerd pull for these versions.
    kubernetes: tuple[Annotated[str, BeforeValidator(parse_version)], ...] = ()
    # None are all that an image has.
    platforms: tuple[Annotated[str, BeforeValidator(parse_platform)], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every image that is meant, each once."""
        if not self.kubernetes:  # read when the versions were checked
            return tuple(dict.fromkeys(self.images))
        own, sandboxes = kubernetes_images().needed(self.kubernetes)
        return tuple(dict.fromkeys((*self.images, *own, *sandboxes)))

    @property
    def extras(self) -> frozenset[str]:
        """Those of them that are wanted and not required: kubeadm does not pull them."""
        if not self.kubernetes:
            return frozenset()
        return frozenset(kubernetes_images().needed(self.kubernetes)[1]).difference(self.images)


def _minute(value: object) -> int:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    hour, minute = (int(found[1]), int(found[2])) if found else (24, 60)
    if hour > 23 or minute > 59:
        raise ValueError('not a time of the day: write it as "01:30"')
    return hour * 60 + minute
