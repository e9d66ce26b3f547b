"""A manifest by its digest: asked for as such, else looked for under the tags that name it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import structlog

from entrepot.errors import AttemptError, MirrorLied, MirrorNotFound, StoreError
from entrepot.mirror.names import ImageName
from entrepot.mirror.restoring import Expected, Restored, Restorer, from_tags
from entrepot.mirror.rules import Rules
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.reference import Tag
from entrepot.store.catalog import Catalog
from entrepot.trust.ledger import LedgerRecord, Verdict
from entrepot.trust.level import Level
from entrepot.upstream.mirror import MirrorClient

_MOST_TAGS = 2
_MOST_PARENTS = 2
_PARENTS = "SELECT manifest FROM links WHERE child = ? LIMIT ?"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Name:
    """Tags under which a mirror may have it, and the proved index that lists it, if one does."""

    tags: tuple[Tag, ...]
    index: Manifest | None = None


@dataclass(slots=True)
class DigestSearch:
    """One search, by whatever name a mirror may have it.

    Mirrors that copied an image by its tag have it under other digests, or only one architecture of
    it; where its tag is known they are asked for that, and it is restored.
    """

    catalog: Catalog
    rules: Rules
    restorer: Restorer
    held: Callable[[Digest], Awaitable[Manifest | None]]
    image: ImageName
    digest: Digest
    _names: list[_Name] | None = None
    _told: list[tuple[str, Digest | None, Verdict, str]] = field(default_factory=list)

    async def ask(self, mirror: MirrorClient) -> Restored:
        """Ask one mirror by the digest; AttemptError when it cannot help."""
        try:
            return Restored(await mirror.get_manifest(self.image.repository, self.digest))
        except MirrorLied as lie:
            self._told.append((mirror.name, None, Verdict.REFUSED, str(lie)))
            raise

    async def has_names(self) -> bool:
        """Whether a mirror that knows nothing of the digest can be asked in another way."""
        if self._names is None:
            self._names = await self._find_names()
        return bool(self._names)

    async def ask_by_name(self, mirror: MirrorClient) -> Restored:
        """Ask one mirror by the tags; AttemptError when it cannot help."""
        restored = await self._by_name(mirror)
        if restored is None:
            raise MirrorNotFound("has not got it under its tags either")
        self._told.append((mirror.name, restored.sent, Verdict.REPAIRED, restored.how))
        return restored

    def records(self, at: float) -> Iterator[LedgerRecord]:
        """Tell the ledger what came of it: lies, and what was restored; the rest proves itself."""
        for mirror, received, verdict, note in self._told:
            served = verdict is not Verdict.REFUSED
            yield LedgerRecord(
                at=at,
                registry=self.image.registry,
                repository=self.image.repository,
                reference=self.digest,
                mirror=mirror,
                received=received,
                verdict=verdict,
                digest=self.digest if served else None,
                level=Level.DIGEST if served else None,
                note=note,
            )

    async def _by_name(self, mirror: MirrorClient) -> Restored | None:
        for name in self._names or ():
            expected = Expected(frozenset({self.digest}), name.index)
            try:
                restored, _ = await from_tags(
                    self.restorer, mirror, self.image.repository, name.tags, expected
                )
            except AttemptError:  # that it has not got the digest is what there is to say
                continue
            if restored is not None:
                return restored
        return None

    async def _find_names(self) -> list[_Name]:
        try:
            names = [_Name(await self._tags(self.digest))]
            for parent in await self._parents():
                index = await self.held(parent)
                if index is not None:
                    names.append(_Name(await self._tags(parent), index))
        except StoreError as error:
            log.warning("catalog.unreadable", digest=str(self.digest), reason=str(error))
            return []
        return [name for name in names if name.tags]

    async def _parents(self) -> list[Digest]:
        rows = await self.catalog.ask(_PARENTS, str(self.digest), _MOST_PARENTS)
        return [Digest.parse(str(parent)) for (parent,) in rows]

    async def _tags(self, digest: Digest) -> tuple[Tag, ...]:
        here = (self.image.registry, self.image.repository)
        pinned = self.rules.tags_of(self.image.registry, self.image.repository, digest)
        held = [
            record.tag
            for record in await self.catalog.tags_of(digest, 100)
            if (record.registry, record.repository) == here
        ]
        return tuple(dict.fromkeys([*pinned, *held]))[:_MOST_TAGS]
