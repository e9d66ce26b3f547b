"""The promoter's files from the disk, as a clone of kubernetes/k8s.io has them.

Its *thin* layout: `manifests/<subproject>/promoter-manifest.yaml` says where to, and
`images/<subproject>/images.yaml` what. Call this in a thread: a whole tree takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from entrepot.trust.pinfile import PinEntry
from entrepot.trust.promoter import (
    Odd,
    Oddity,
    Promoted,
    promoted_pins,
    read_destinations,
    read_images,
)

_MANIFEST = "promoter-manifest.yaml"
_IMAGES = "images.yaml"
# Frozen, and without a manifest any more; its images stand in the root (k8s.gcr.io/archived).
_BACKFILL = "DO-NOT-MODIFY-legacy-backfill"


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
    found: dict[str, PinEntry] = {}
    odd: list[Odd] = []
    for root in roots:
        for directory in _directories(root):
            pins, here = _read_subproject(root, directory)
            odd += here
            for pin in pins:
                before = found.get(pin.image)
                if before is not None and not set(before.digests) >= set(pin.digests):
                    told = ", ".join(map(str, before.digests))
                    text = f"{pin.image} was {told} elsewhere"
                    odd.append(Odd(Oddity.TWO_DIGESTS, str(directory / _IMAGES), 0, text))
                digests = pin.digests if before is None else (*pin.digests, *before.digests)
                merged = tuple(dict.fromkeys(digests))
                found[pin.image] = PinEntry(pin.registry, pin.repository, pin.tag, merged)
    return Promotions(tuple(found.values()), tuple(odd))


def _directories(root: Path) -> Iterator[Path]:
    """Give each subproject's directory of images, also where only its manifest is."""
    names = {
        path.name
        for kind in ("images", "manifests")
        for path in (root / kind).glob("*")
        if path.is_dir()
    }
    yield from (root / "images" / name for name in sorted(names))


def _read_subproject(root: Path, directory: Path) -> tuple[list[PinEntry], list[Odd]]:
    manifest = root / "manifests" / directory.name / _MANIFEST
    prefixes: tuple[str, ...] = ("",) if directory.name == _BACKFILL else ()
    odd = [
        Odd(Oddity.MISNAMED, str(path), 0, path.name)
        for path in sorted(directory.glob("*.yaml"))
        if path.name != _IMAGES
    ]
    sources: list[tuple[str, tuple[Promoted, ...]]] = []
    if manifest.is_file():
        named, inside, noted = read_destinations(str(manifest), _read(manifest))
        prefixes = prefixes or named
        sources.append((str(manifest), inside))
        odd += noted
    if (directory / _IMAGES).is_file():
        name = str(directory / _IMAGES)
        images, noted = read_images(name, _read(directory / _IMAGES))
        sources.append((name, images))
        odd += noted
    pins: list[PinEntry] = []
    for name, images in sources:
        if images and not prefixes:
            odd.append(Odd(Oddity.NO_DESTINATION, name, 0, f"{len(images)} digests"))
            continue
        made, noted = promoted_pins(name, images, prefixes)
        pins += made
        odd += noted
    return pins, odd


def _read(path: Path) -> str:
    """Read a file; bytes that are no text become characters that no name has."""
    return path.read_text(encoding="utf-8", errors="replace")
