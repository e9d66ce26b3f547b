"""Rules for what is never evicted, as the settings have them."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.config.kubernetes import kubernetes_images
from entrepot.errors import DigestInvalid
from entrepot.oci.pattern import ImagePattern


@dataclass(frozen=True, slots=True)
class KeepRule:
    """What somebody wrote, and the images that it means."""

    text: str
    patterns: tuple[ImagePattern, ...]

    def __str__(self) -> str:
        return self.text


def parse_keep(value: object) -> KeepRule:
    """Read "docker.io/library/*" or {kubernetes: v1.30.5}; ValueError for anything else.

    The sandbox images of every containerd belong to each version of Kubernetes: nobody says which
    one runs there, and they are small.
    """
    if isinstance(value, KeepRule):
        return value
    if isinstance(value, str):
        try:
            return KeepRule(value, (ImagePattern.parse(value),))
        except DigestInvalid as error:
            raise ValueError(str(error)) from error
    if isinstance(value, dict) and list(value) == ["kubernetes"]:
        version = value["kubernetes"]
        if not isinstance(version, str):
            raise ValueError("not a version of Kubernetes: write it as v1.30.5")
        table = kubernetes_images()
        images = dict.fromkeys((*table.images(version), *table.sandboxes))
        return KeepRule(f"kubernetes {version}", tuple(map(ImagePattern.parse, images)))
    raise ValueError("not a rule: write docker.io/library/nginx:* or {kubernetes: v1.30.5}")
