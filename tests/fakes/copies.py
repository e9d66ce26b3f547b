"""What mirrors make of an image when they copy it: the five classes that were seen in the wild."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Literal

from fakes.images import Image, Index, image, sha256

Copying = Literal["verbatim", "single-arch", "re-serialised", "re-compressed", "rebuilt"]
COPYINGS: tuple[Copying, ...] = (
    "verbatim",
    "single-arch",
    "re-serialised",
    "re-compressed",
    "rebuilt",
)

_GZIP = b"\x1f\x8b"


def copied(pushed: Image | Index, copying: Copying) -> Image | Index:
    """Make the copy of an image that a mirror of this kind holds under the image's tag.

    verbatim        the same bytes
    single-arch     the first image of an index instead of the index
    re-serialised   the JSON on one line; what an index points at is as it was
    re-compressed   the first image, its layers packed anew, as docker pull and push leave it
    rebuilt         another image
    """
    if copying == "verbatim":
        return pushed
    if copying == "re-serialised":
        return replace(pushed, manifest=compact(pushed.manifest))
    first = pushed.images[0] if isinstance(pushed, Index) else pushed
    if copying == "single-arch":
        return first
    return recompressed(first) if copying == "re-compressed" else image("rebuilt", layers=(2000,))


def compact(manifest: bytes) -> bytes:
    """The same JSON without white space."""
    return json.dumps(json.loads(manifest), separators=(",", ":")).encode()


def recompressed(one: Image) -> Image:
    """The same configuration and files in other layers."""
    layers = tuple(map(_packed_anew, one.layers))
    document = json.loads(one.manifest)
    for entry, layer in zip(document["layers"], layers, strict=True):
        entry |= {"digest": str(sha256(layer)), "size": len(layer)}
    return replace(one, manifest=json.dumps(document, indent=3).encode(), layers=layers)


def _packed_anew(layer: bytes) -> bytes:
    unpacked = gzip.decompress(layer) if layer.startswith(_GZIP) else layer
    packed = gzip.compress(unpacked, 1, mtime=0)
    return packed if packed != layer else gzip.compress(unpacked, 9, mtime=1)
