"""What manifests say about blobs nobody has fetched yet: how big they are and who named them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, descriptors
from entrepot.oci.mediatype import is_manifest

_CAPACITY = 50_000


@dataclass(frozen=True, slots=True)
class Hint:
    """`size` in bytes; `mirror` gave the manifest that names this digest (U-11), "" if unknown.

    None where manifests contradict each other: anybody may write one that names somebody else's
    layer with a size of its own, and must not keep others from getting it.
    """

    size: int | None
    mirror: str
    is_manifest: bool | None


class Hints:
    """The most recent hints, in memory only: losing one costs a question, never an answer."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._hints: OrderedDict[Digest, Hint] = OrderedDict()

    def learn(self, manifest: Manifest, mirror: str) -> None:
        """Remember what `manifest`, got from `mirror`, says of its children."""
        for child in descriptors(manifest):
            hint = Hint(child.size, mirror, is_manifest(child.media_type))
            known = self._hints.pop(child.digest, hint)
            self._hints[child.digest] = Hint(
                size=hint.size if known.size == hint.size else None,
                mirror=mirror,
                is_manifest=hint.is_manifest if known.is_manifest == hint.is_manifest else None,
            )
        while len(self._hints) > self._capacity:
            self._hints.popitem(last=False)

    def get(self, digest: Digest) -> Hint | None:
        """What is known of `digest`."""
        return self._hints.get(digest)

    def forget(self, digest: Digest) -> None:
        """Know nothing of `digest` any more."""
        self._hints.pop(digest, None)
