"""Which image is looked at on the mirrors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from entrepot.config import Settings
from entrepot.errors import NameInvalid, NameUnknown
from entrepot.mirror.imagenames import image_glob, image_name
from entrepot.mirror.meant import instead, is_known, namesakes
from entrepot.mirror.names import NameTable
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.trust.pins import Pin, Pins


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image by tag, under the name that its registry has in the settings."""

    registry: str
    repository: RepositoryName
    tag: Tag

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}:{self.tag}"


# Small, old, and not likely to go away.
_SAMPLES = {
    "registry.k8s.io": ("pause", "3.9"),
    "docker.io": ("library/hello-world", "latest"),
    "quay.io": ("prometheus/busybox", "latest"),
    "ghcr.io": ("containerd/busybox", "1.36"),
    "gcr.io": ("distroless/static-debian12", "latest"),
    "mcr.microsoft.com": ("hello-world", "latest"),
}


def names_of(settings: Settings) -> NameTable:
    """Make the table of registries that are served, with their aliases."""
    aliases = {name: registry.aliases for name, registry in settings.registries.items()}
    return NameTable(aliases, settings.hosts)


def read_wanted(text: str, names: NameTable) -> Wanted:
    """Read the name of an image by tag, or of a registry of which a sample will do.

    RequestError when it is neither, or of a registry that is not served.
    """
    registry = names.canonical(text.strip().rstrip("/"))
    if registry is not None:
        sample = sample_of(registry)
        if sample is None:
            raise NameInvalid(f"which image of {registry}? Write {registry}/REPOSITORY:TAG")
        return sample
    registry, _, rest = image_name(text, names).partition("/")
    if names.canonical(registry) is None:
        raise NameUnknown(f"{registry} is not served. Served: {names.served}")
    repository, _, tag = rest.partition(":")
    if "@" in repository:
        raise NameInvalid(f"{text[:300]!r}: a tag is wanted, not a digest")
    return Wanted(registry, RepositoryName.parse(repository), Tag.parse(tag))


def sample_of(registry: str) -> Wanted | None:
    """Give an image by which a registry's mirrors can be looked at; None where none is known."""
    sample = _SAMPLES.get(registry)
    return Wanted(registry, RepositoryName(sample[0]), Tag(sample[1])) if sample else None


def meant_instead(image: Wanted, names: NameTable, pins: Pins) -> str:
    """Write what else may have been meant by an image that is not to be had; "" for nothing."""
    others = namesakes(image.registry, image.repository, image.tag, names)
    known = (Wanted(*other) for other in others if is_known(*other, names, pins))
    return instead(map(str, known))


def pinned(pins: Pins, patterns: Iterable[str], names: NameTable) -> dict[Wanted, Pin]:
    """Choose the pins that match patterns of images, as `entrepot ls` takes them.

    Those of registries that are not served are left out: nobody could be asked.
    """
    globs = [image_glob(pattern, names) for pattern in patterns]
    found = {}
    for entry in pins:
        if not any(fnmatchcase(entry.image, glob) for glob in globs):
            continue
        pin = pins.pin(entry.registry, entry.repository, entry.tag)
        if pin is not None and names.canonical(entry.registry) is not None:
            found[Wanted(entry.registry, entry.repository, Tag(entry.tag))] = pin
    return found
