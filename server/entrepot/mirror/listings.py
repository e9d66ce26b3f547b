"""Lists: the tags of a repository, and what refers to a manifest."""

from __future__ import annotations

import asyncio
import contextlib
import json
from bisect import bisect_right
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog

from entrepot.errors import (
    Exhausted,
    ManifestUnknown,
    MirrorDenied,
    MirrorNotFound,
    NameUnknown,
    Offline,
    StoreError,
)
from entrepot.metrics import Metrics
from entrepot.mirror.flights import Flights
from entrepot.mirror.manifests import title
from entrepot.mirror.names import ImageName
from entrepot.mirror.race import Race, exhausted
from entrepot.mirror.registry import Registry, asking_order
from entrepot.mirror.tags import Tags
from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_INDEX, read_document
from entrepot.oci.reference import Tag
from entrepot.store.catalog import Catalog
from entrepot.store.referrerlists import (
    ReferrerList,
    drop_referrers,
    held_referrers,
    keep_referrers,
)
from entrepot.upstream.limits import Kind
from entrepot.upstream.mirror import MirrorClient

T = TypeVar("T")

log = structlog.get_logger(__name__)

EMPTY_INDEX = json.dumps(
    {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}, separators=(",", ":")
).encode()
"""The answer "nothing refers to it" (spec "Listing Referrers", N-2)."""


@dataclass(frozen=True, slots=True)
class TagPage:
    """One page of tags; `more` when another follows."""

    tags: tuple[str, ...]
    more: bool


def tag_page(tags: tuple[str, ...], count: int | None, last: str | None) -> TagPage:
    """The page after `last` (exclusive) of at most `count` tags, in lexical order (N-2).

    `count` None means all; 0 is an empty page without a next one.
    """
    ordered = sorted(set(tags))
    rest = ordered[bisect_right(ordered, last) :] if last is not None else ordered
    if count is None:
        return TagPage(tuple(rest), more=False)
    return TagPage(tuple(rest[:count]), more=0 < count < len(rest))


def filtered_referrers(body: bytes, artifact_type: str) -> bytes:
    """The index `body` with only the referrers of `artifact_type`; ValueError if it is no index."""
    index = json.loads(body)
    if not isinstance(index, dict) or not isinstance(index.get("manifests"), list):
        raise ValueError("not an image index")  # noqa: TRY004 - about content, not a Python type
    index["manifests"] = [
        entry
        for entry in index["manifests"]
        if isinstance(entry, dict) and entry.get("artifactType") == artifact_type
    ]
    return json.dumps(index, separators=(",", ":")).encode()


@dataclass(slots=True)
class Listings:
    """Tags and referrers. Deadlines are loop time."""

    registries: dict[str, Registry]
    catalog: Catalog
    tags_by_name: Tags
    flights: Flights[tuple[str, str, str], Any]
    metrics: Metrics
    overtake_s: float

    async def tags(self, image: ImageName, deadline: float) -> tuple[tuple[str, ...], str]:
        """All tags of a repository, and a warning when they are only those held here.

        Raises NameUnknown when every mirror says there is no such repository and none is held.
        """
        key = ("tags", image.registry, str(image.repository))

        async def ask(mirror: MirrorClient) -> tuple[str, ...]:
            return await mirror.list_tags(image.repository)

        try:
            return await self.flights.join(
                key, lambda: self._race(image, "tags/list", ask, deadline)
            ), ""
        except Exhausted as error:
            held = await self._held(image)
            if held:
                return held, f"{image.namespace}/{image.repository}: only the tags held here"
            # Mirrors that forbid listing say 403 or 404 at will: that is no fault of the network.
            absent = {MirrorNotFound.outcome, MirrorDenied.outcome}
            if error.attempts and {a.outcome for a in error.attempts} <= absent:
                raise NameUnknown(str(error)) from error
            raise

    async def _held(self, image: ImageName) -> tuple[str, ...]:
        try:
            known = await self.catalog.tags(image.registry, image.repository)
        except StoreError as error:
            log.warning("tags.unreadable", repository=image.repository, reason=str(error))
            return ()
        return tuple(record.tag for record in known)

    async def referrers(
        self, image: ImageName, digest: Digest, deadline: float
    ) -> tuple[bytes, str]:
        """The index of what refers to `digest`, as a mirror has it; perhaps an empty one.

        Where no mirror knows the referrers API the tag that stands for it is asked (N-3). When
        nobody can be asked, the last list that named something, and a warning. Raises AllFailed
        or Offline rather than answer with an empty list nobody confirmed: it would look unsigned.
        """
        key = ("referrers", f"{image.registry}/{image.repository}", str(digest))

        async def ask(mirror: MirrorClient) -> bytes:
            return await mirror.get_referrers(image.repository, digest)

        try:
            body: bytes = await self.flights.join(
                key, lambda: self._race(image, f"referrers/{digest}", ask, deadline)
            )
        except ManifestUnknown:
            return await self._tagged_referrers(image, digest, deadline) or EMPTY_INDEX, ""
        except Offline:
            held = await self._tagged_or_held(image, digest, deadline)
            if held is None:
                raise
            return held
        except Exhausted:
            held = await self._held_referrers(image, digest)
            if held is None:
                raise
            return held
        self._keep_referrers(image, digest, body)
        return body, ""

    def _keep_referrers(self, image: ImageName, digest: Digest, body: bytes) -> None:
        if read_document(body).get("manifests"):
            now = self.tags_by_name.manifests.clock()
            told = ReferrerList(image.registry, image.repository, digest, body, now)
            keep_referrers(self.catalog, told)
        else:
            drop_referrers(self.catalog, image.registry, image.repository, digest)

    async def _tagged_or_held(
        self, image: ImageName, digest: Digest, deadline: float
    ) -> tuple[bytes, str] | None:
        with contextlib.suppress(Offline):
            tagged = await self._tagged_referrers(image, digest, deadline)
            if tagged is not None:
                return tagged, ""
        return await self._held_referrers(image, digest)

    async def _held_referrers(self, image: ImageName, digest: Digest) -> tuple[bytes, str] | None:
        try:
            held = await held_referrers(self.catalog, image.registry, image.repository, digest)
        except StoreError as error:
            log.warning("referrers.unreadable", digest=str(digest), reason=str(error))
            return None
        if held is None:
            return None
        seen = datetime.fromtimestamp(held.seen_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return held.body, f"{title(image, str(digest))}: referrers not confirmed; as of {seen}"

    async def _tagged_referrers(
        self, image: ImageName, digest: Digest, deadline: float
    ) -> bytes | None:
        tag = Tag.parse(f"{digest.algorithm[:32]}-{digest.hex[:64]}")
        try:
            served = await self.tags_by_name.get(image, tag, deadline)
        except ManifestUnknown:
            return None
        listed = read_document(served.manifest.body).get("manifests")
        # Whoever owns the repository may give that tag to anything.
        return served.manifest.body if isinstance(listed, list) else None

    async def _race(
        self,
        image: ImageName,
        path: str,
        ask: Callable[[MirrorClient], Coroutine[Any, Any, T]],
        deadline: float,
    ) -> T:
        """Ask the mirrors, but not what all of them said 404 to a moment ago (F-9)."""
        registry, manifests = self.registries[image.registry], self.tags_by_name.manifests
        if not registry.offline:
            manifests.raise_if_absent((image.registry, str(image.repository), path))
        race: Race[T] = Race(
            order=asking_order(
                registry.mirrors, image.repository, asyncio.get_running_loop().time()
            ),
            repository=image.repository,
            ask=ask,
            overtake_s=self.overtake_s,
            deadline=deadline,
            metrics=self.metrics,
            kind=Kind.LIST,
        )
        won = await race.run()
        if won is not None:
            return won.answer
        subject, _, _ = path.partition("/")
        name = f"{image.namespace}/{image.repository} {subject}"
        error = exhausted(name, tuple(race.attempts), ManifestUnknown)
        manifests.remember_absence(image, path, error)
        raise error
