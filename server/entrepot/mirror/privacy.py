"""What is known from private registries only, and so is for nobody who may not see those (P27).

Content is kept once, whoever it came for, and whoever knows a digest could ask for it by the name
of a public registry. So in the name of a public one only that is given from the cache which a
public registry has, too: it came from there, or one of its mirrors has said so since. The store
keeps that (a blob's mode), this remembers it. Where no registry is private nothing is asked.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore

_MOST_REMEMBERED = 50_000


@dataclass(slots=True)
class Privacy:
    """`private` are registries by their canonical names."""

    store: BlobStore
    private: frozenset[str] = frozenset()
    _public: OrderedDict[Digest, None] = field(default_factory=OrderedDict)

    def covers(self, registry: str) -> bool:
        """Whether only clients that say who they are may have what is of `registry`."""
        return registry in self.private

    def is_known_public(self, registry: str, digest: Digest) -> bool:
        """Whether `digest` may be given in the name of `registry`, as far as memory tells."""
        return not self.private or registry in self.private or digest in self._public

    async def may_give(self, registry: str, digest: Digest) -> bool:
        """Whether `digest`, if it is held, may be given in the name of `registry`."""
        if self.is_known_public(registry, digest):
            return True
        if await self.store.is_public(digest):
            self._remember(digest)
            return True
        return False

    def learn(self, registry: str, digest: Digest) -> None:
        """Note that a mirror of `registry` has given `digest`, or said that it has it."""
        if self.private and registry not in self.private:
            self._remember(digest)

    async def publish(self, registry: str, digest: Digest) -> None:
        """As `learn`, and have the store keep it."""
        self.learn(registry, digest)
        if self.private and registry not in self.private:
            await self.store.publish(digest)

    def _remember(self, digest: Digest) -> None:
        self._public[digest] = None
        self._public.move_to_end(digest)
        while len(self._public) > _MOST_REMEMBERED:
            self._public.popitem(last=False)
