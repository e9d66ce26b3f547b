"""Which images kubeadm needs for a version of Kubernetes: a table that comes with Entrepot."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

REGISTRY = "registry.k8s.io"
"""Where all of them are to be had, the old ones of k8s.gcr.io too."""

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-([0-9a-z.]+))?")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version of Kubernetes; before the release come its alphas, betas and candidates."""

    major: int
    minor: int
    patch: int
    released: bool
    stage: tuple[str | int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read v1.30.5 or v1.37.0-rc.0, with or without the v; ValueError for anything else."""
        found = _VERSION.fullmatch(text.strip())
        if found is None:
            raise ValueError("not a version of Kubernetes: write it as v1.30.5")
        major, minor, patch, stage = found.groups()
        parts = tuple(stage.split(".")) if stage else ()
        return cls(int(major), int(minor), int(patch), not parts, parts)

    def __str__(self) -> str:
        stage = "-" + ".".join(map(str, self.stage)) if self.stage else ""
        return f"v{self.major}.{self.minor}.{self.patch}{stage}"


@dataclass(frozen=True, slots=True)
class _Row:
    """The images beside the components; good from `first` on, up to the next row of the minor."""

    first: Version
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KubernetesImages:
    """The table; `images` is what it is for."""

    components: tuple[str, ...]
    sandboxes: tuple[str, ...]
    rows: tuple[_Row, ...]

    def images(self, version: str) -> tuple[str, ...]:
        """Name what kubeadm pulls for `version`, as registry.k8s.io/name:tag.

        A patch later than the table has the images of the last one it knows. ValueError for a
        minor version it does not know, with the nearest that it does.
        """
        wanted = Version.parse(version)
        of_minor = [row for row in self.rows if _same_minor(row.first, wanted)]
        row = max((r for r in of_minor if r.first <= wanted), key=lambda r: r.first, default=None)
        if row is None:
            raise ValueError(f"{wanted} is not known here; the nearest is {self._nearest(wanted)}")
        own = (f"{name}:{wanted}" for name in self.components)
        return tuple(f"{REGISTRY}/{image}" for image in (*own, *row.images))

    def needed(self, versions: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Name what kubeadm pulls for the versions, and the other sandbox images; ValueError."""
        own = tuple(dict.fromkeys(name for each in versions for name in self.images(each)))
        return own, tuple(name for name in self.sandboxes if own and name not in own)

    def names(self, image: str) -> bool:
        """Whether kubeadm or containerd pulls `name:tag` for some version."""
        if any(image in row.images for row in self.rows) or f"{REGISTRY}/{image}" in self.sandboxes:
            return True
        name, _, tag = image.partition(":")
        try:
            return name in self.components and f"{REGISTRY}/{image}" in self.images(tag)
        except ValueError:
            return False

    def _nearest(self, wanted: Version) -> Version:
        def distance(row: _Row) -> tuple[int, int]:
            of_minor = abs(row.first.major - wanted.major) * 1000 + row.first.minor - wanted.minor
            return abs(of_minor), abs(row.first.patch - wanted.patch)

        return min(self.rows, key=distance).first


@cache
def kubernetes_images() -> KubernetesImages:
    """Read the table that comes with Entrepot. Reads the disk the first time."""
    path = files("entrepot_defaults") / "kubernetes" / "images.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return read_kubernetes_images(yaml.load(path.read_text(encoding="utf-8"), loader))  # noqa: S506


def read_kubernetes_images(document: Mapping[str, Any]) -> KubernetesImages:
    """Read a table of the form of config/kubernetes/images.yaml; KeyError for another."""
    named = document["cri_sandbox_default"]["containerd"]
    return KubernetesImages(
        components=tuple(str(name) for name in document["components"]),
        sandboxes=tuple(dict.fromkeys(_modern(str(entry["image"])) for entry in named)),
        rows=tuple(_row(row) for row in document["versions"]),
    )


def _row(row: Mapping[str, object]) -> _Row:
    images = (
        f"pause:{row['pause']}",
        f"etcd:{row['etcd']}",
        f"{row['dns_repo']}:{row['dns_tag']}",
    )
    return _Row(Version.parse(str(row["first"])), images)


def _modern(image: str) -> str:
    return f"{REGISTRY}/{image.partition('/')[2]}"


def _same_minor(one: Version, other: Version) -> bool:
    return (one.major, one.minor) == (other.major, other.minor)
