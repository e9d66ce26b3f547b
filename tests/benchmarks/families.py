"""What a synthetic cache holds, worked out from a seed: any part of it, without the rest.

A family is a repository with ten tags, half of them images for one platform and half indexes over
two, all of whose layers but two are their own: 82 files. Contents are tiny, digests are real.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from fakes.images import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Image,
    Index,
    index,
    platform_object,
    sha256,
    to_json,
)

IMAGES = 10
FILES = 82
PLATFORMS = ("linux/amd64", "linux/arm64")
_OWN_LAYERS = 3
_SHARED_LAYERS = 2
_LEAST_BYTES, _MOST_BYTES = 100, 300


@dataclass(frozen=True)
class Family:
    """Repository `number` of the cache that belongs to `seed`.

    `extra` layers more in its first image make up the number of files that is wanted in all.
    """

    seed: int
    number: int
    extra: int = 0

    @property
    def repository(self) -> str:
        """Its name."""
        return f"synthetic/r{self.number:06}"

    @cached_property
    def tagged(self) -> tuple[Image | Index, ...]:
        """What the tags v0 to v9 stand for."""
        return tuple(self.tagged_as(position) for position in range(IMAGES))

    def tagged_as(self, position: int) -> Image | Index:
        """What the tag of that number stands for, without working out the others."""
        if position % 2 == 0:
            return self._image(position, PLATFORMS[0], self.extra if position == 0 else 0)
        return index([self._image(position, each, 0) for each in PLATFORMS], flavour="oci")

    def manifests(self) -> Iterator[Image | Index]:
        """Everything that has a digest of its own as a manifest, each once."""
        for root in self.tagged:
            yield root
            if isinstance(root, Index):
                yield from root.images

    def images(self) -> Iterator[Image]:
        """The manifests that have layers."""
        return (each for each in self.manifests() if isinstance(each, Image))

    def blobs(self) -> dict[str, bytes]:
        """Configs and layers by digest; shared ones once."""
        return {str(sha256(data)): data for one in self.images() for data in one.blobs}

    def chance(self, what: str) -> float:
        """A number from [0, 1), always the same for one `what`."""
        return int.from_bytes(self._noise(what, 4)) / 2**32

    def _image(self, position: int, platform: str, extra: int) -> Image:
        layers = [
            *(self._layer(f"shared {layer}") for layer in range(_SHARED_LAYERS)),
            *(self._layer(f"{position} {platform} {n}") for n in range(_OWN_LAYERS + extra)),
        ]
        diff_ids = [str(sha256(data)) for data in layers]
        config = to_json(
            {
                **platform_object(platform),
                "config": {"Labels": {"image": f"{self.seed} {self.number} {position}"}},
                "rootfs": {"type": "layers", "diff_ids": diff_ids},
            }
        )
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _descriptor(OCI_CONFIG, config),
            "layers": [_descriptor(OCI_LAYER, data) for data in layers],
        }
        return Image(OCI_MANIFEST, to_json(manifest), config, tuple(layers), platform)

    def _layer(self, name: str) -> bytes:
        size = _LEAST_BYTES + int(self.chance(name) * (_MOST_BYTES - _LEAST_BYTES))
        return self._noise(name, size)

    def _noise(self, name: str, size: int) -> bytes:
        return hashlib.shake_128(f"{self.seed} {self.number} {name}".encode()).digest(size)


@dataclass(frozen=True, slots=True)
class Population:
    """All families of a cache of exactly `files` files, at least one family's."""

    seed: int
    files: int

    def __len__(self) -> int:
        return self.files // FILES

    def __getitem__(self, number: int) -> Family:
        last = number == len(self) - 1
        return Family(self.seed, number, self.files % FILES if last else 0)


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "size": len(data), "digest": str(sha256(data))}
