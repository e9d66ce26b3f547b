"""The promoter's files from the disk, as a clone of kubernetes/k8s.io has them, or one by one.

Its *thin* layout: `manifests/<subproject>/promoter-manifest.yaml` says where to, and
`images/<subproject>/images.yaml` what. Call this in a thread: a whole tree takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from entrepot.trust.pinfile import PinEntry, PinsInvalid
from entrepot.trust.promoter import (
    Odd,
    Oddity,
    Promoted,
    promoted_pins,
    read_destinations,
    read_images,
)

MANIFEST = "promoter-manifest.yaml"
IMAGES = "images.yaml"
# Frozen, and without a manifest any more; its images stand in the root (k8s.gcr.io/archived).
BACKFILL = "DO-NOT-MODIFY-legacy-backfill"
# A clone of kubernetes/k8s.io: where its trees are, oldest first.
_TREES = ("k8s.gcr.io/archived", "registry.k8s.io")


@dataclass(frozen=True, slots=True)
class Source:
    """A file's name, for messages, and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Subproject:
    """What belongs together: the images, and the manifest that says where they are promoted to.

    `prefixes` of registry.k8s.io are used instead of the manifest's, where somebody knows them.
    """

    images: tuple[Source, ...] = ()
    manifest: Source | None = None
    prefixes: tuple[str, ...] = ()
    odd: tuple[Odd, ...] = ()


@dataclass(frozen=True, slots=True)
class Promotions:
    """Pins made of promoter files, without duplicates, and everything that was odd about them."""

    pins: tuple[PinEntry, ...] = ()
    odd: tuple[Odd, ...] = ()


def read_promotions(*roots: Path) -> Promotions:
    """Read trees that have `images` and `manifests` below them, oldest first.

    For kubernetes/k8s.io these are `k8s.gcr.io/archived` and `registry.k8s.io`. Where two say
    different digests for a tag, the pin has both, and that of the later root is served.
    """
    return promotions(project for root in roots for project in _tree(root))


def promotions(subprojects: Iterable[Subproject]) -> Promotions:
    """Make pins of subprojects, oldest first."""
    found: dict[str, PinEntry] = {}
    odd: list[Odd] = []
    for project in subprojects:
        odd += project.odd
        pins, here = _pins_of(project)
        odd += here
        for pin, file in pins:
            before = found.get(pin.image)
            if before is not None and not set(before.digests) >= set(pin.digests):
                told = ", ".join(map(str, before.digests))
                text = f"{pin.image} was {told} elsewhere"
                odd.append(Odd(Oddity.TWO_DIGESTS, file, 0, text))
            digests = pin.digests if before is None else (*pin.digests, *before.digests)
            merged = tuple(dict.fromkeys(digests))
            found[pin.image] = PinEntry(pin.registry, pin.repository, pin.tag, merged)
    return Promotions(tuple(found.values()), tuple(odd))


def find_subprojects(path: Path, prefixes: tuple[str, ...] = ()) -> tuple[Subproject, ...]:
    """Find what a path leads to: a clone, a tree, a subproject's directory, or one file.

    A file of images is read whatever its name is: whoever names it means it. PinsInvalid when
    there is nothing of the promoter's.
    """
    if path.is_file():
        return (_of_file(path, prefixes),)
    trees = [path / tree for tree in _TREES if (path / tree / "images").is_dir()]
    if not trees and ((path / "images").is_dir() or (path / "manifests").is_dir()):
        trees = [path]
    found = tuple(project for tree in trees for project in _tree(tree, prefixes))
    if found:
        return found
    if any((path / name).is_file() for name in (IMAGES, MANIFEST)):
        return (_directory(path, _sibling(path), prefixes),)
    raise PinsInvalid([f"{path}: there are no {IMAGES} of the promoter below it"])


def pair(subprojects: Sequence[Subproject]) -> tuple[Subproject, ...]:
    """Give images that came without a manifest the one that came by itself, if it is only one."""
    alone = [one.manifest for one in subprojects if one.manifest is not None and not one.images]
    if len(alone) != 1:
        return tuple(subprojects)
    lacking = [one for one in subprojects if one.images and not (one.manifest or one.prefixes)]
    return tuple(replace(one, manifest=alone[0]) if one in lacking else one for one in subprojects)


def manifest_beside(images: str) -> str | None:
    """Name the manifest that belongs to `…/images/SUBPROJECT/images.yaml`, in a tree or a URL."""
    path = PurePosixPath(images)
    if path.parent.parent.name != "images":
        return None
    tail = f"images/{path.parent.name}/{path.name}"
    return f"{images.removesuffix(tail)}manifests/{path.parent.name}/{MANIFEST}"


def root_prefix(name: str) -> tuple[str, ...]:
    """Give the prefix of the frozen backfill, which has no manifest; nothing for others."""
    return ("",) if BACKFILL in name else ()


def _tree(root: Path, prefixes: tuple[str, ...] = ()) -> Iterator[Subproject]:
    """Give each subproject, also where only its manifest is."""
    names = {
        path.name
        for kind in ("images", "manifests")
        for path in (root / kind).glob("*")
        if path.is_dir()
    }
    for name in sorted(names):
        yield _directory(root / "images" / name, root / "manifests" / name / MANIFEST, prefixes)


def _sibling(directory: Path) -> Path:
    beside = directory.absolute().parent.parent / "manifests" / directory.absolute().name / MANIFEST
    return beside if beside.is_file() else directory / MANIFEST


def _directory(directory: Path, manifest: Path, prefixes: tuple[str, ...]) -> Subproject:
    odd = tuple(
        Odd(Oddity.MISNAMED, str(path), 0, path.name)
        for path in sorted(directory.glob("*.yaml"))
        if path.name not in (IMAGES, manifest.name)
    )
    images = directory / IMAGES
    return Subproject(
        images=(_read(images),) if images.is_file() else (),
        manifest=_read(manifest) if manifest.is_file() else None,
        prefixes=prefixes or root_prefix(directory.name),
        odd=odd,
    )


def _of_file(path: Path, prefixes: tuple[str, ...]) -> Subproject:
    if path.name == MANIFEST:
        return Subproject(manifest=_read(path), prefixes=prefixes)
    manifest = _sibling(path.parent)
    return Subproject(
        images=(_read(path),),
        manifest=_read(manifest) if manifest.is_file() else None,
        prefixes=prefixes or root_prefix(str(path.absolute())),
    )


def _pins_of(project: Subproject) -> tuple[list[tuple[PinEntry, str]], list[Odd]]:
    """Make a subproject's pins, each with the name of its file."""
    odd: list[Odd] = []
    prefixes = project.prefixes
    sources: list[tuple[str, tuple[Promoted, ...]]] = []
    if project.manifest is not None:
        name = project.manifest.name
        named, inside, noted = read_destinations(name, project.manifest.text)
        prefixes = prefixes or named
        sources.append((name, inside))
        odd += noted
    for source in project.images:
        images, noted = read_images(source.name, source.text)
        sources.append((source.name, images))
        odd += noted
    pins: list[tuple[PinEntry, str]] = []
    for name, images in sources:
        if images and not prefixes:
            odd.append(Odd(Oddity.NO_DESTINATION, name, 0, f"{len(images)} digests"))
            continue
        made, noted = promoted_pins(name, images, prefixes)
        pins += [(pin, name) for pin in made]
        odd += noted
    return pins, odd


def _read(path: Path) -> Source:
    """Read a file; bytes that are no text become characters that no name has."""
    return Source(str(path), path.read_text(encoding="utf-8", errors="replace"))
