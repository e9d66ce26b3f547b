"""When things were last used: noted in memory on the way of a request, written in batches."""

from __future__ import annotations

from entrepot.oci.digest import Digest
from entrepot.store.database import Statement
from entrepot.store.record import TagKey

_TOUCH_TAG = "UPDATE tags SET checked_at = ? WHERE registry = ? AND repository = ? AND tag = ?"
_USE_BLOB = "UPDATE blobs SET used_at = max(used_at, ?1) WHERE digest = ?2"
# An index counts as used when one of its manifests is, or the most popular images, whose nodes
# ask for a platform by digest, would be the first to go.
_USE_MANIFEST = """
    UPDATE manifests SET used_at = max(used_at, ?1)
    WHERE digest = ?2 OR digest IN (SELECT manifest FROM links WHERE child = ?2)
"""


class Uses:
    """What was used since the last `take`; times are seconds of the epoch."""

    def __init__(self) -> None:
        self._manifests: dict[Digest, float] = {}
        self._blobs: dict[Digest, float] = {}
        self._tags: dict[TagKey, float] = {}

    def __bool__(self) -> bool:
        return bool(self._manifests or self._blobs or self._tags)

    def manifest(self, digest: Digest, now: float) -> None:
        """Note that a manifest was asked for."""
        self._manifests[digest] = now

    def blob(self, digest: Digest, now: float) -> None:
        """Note that a blob was asked for."""
        self._blobs[digest] = now

    def knows(self, digest: Digest) -> bool:
        """Whether the manifest or blob was used since the last `take`."""
        return digest in self._manifests or digest in self._blobs

    def tag_checked(self, key: TagKey, now: float) -> None:
        """Note that a mirror confirmed a tag."""
        self._tags[key] = now

    def drop_tag(self, key: TagKey) -> None:
        """Forget a note that is out of date: the tag has been written since."""
        self._tags.pop(key, None)

    def take(self) -> list[Statement]:
        """Give what has to be written, and begin anew."""
        manifests = [(now, str(digest)) for digest, now in self._manifests.items()]
        blobs = [(now, str(digest)) for digest, now in self._blobs.items()]
        tags = [(now, *key) for key, now in self._tags.items()]
        self._manifests, self._blobs, self._tags = {}, {}, {}
        statements = [
            Statement(_TOUCH_TAG, tags),
            Statement(_USE_MANIFEST, manifests),
            Statement(_USE_BLOB, [*blobs, *manifests]),
        ]
        return [statement for statement in statements if statement.rows]
