"""Signatures of images, looked for and proved before an image is first served."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import structlog

from entrepot.errors import (
    AllFailed,
    AllThrottled,
    BlobUnknown,
    EntrepotError,
    Exhausted,
    ManifestUnknown,
    Offline,
    SignatureRefused,
    TransferBroken,
)
from entrepot.metrics import Metrics
from entrepot.mirror.evidence import Evidence
from entrepot.mirror.flights import Flights
from entrepot.mirror.manifests import Clock
from entrepot.mirror.memory import ForAWhile
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, descriptors
from entrepot.oci.mediatype import is_index
from entrepot.trust.attachments import is_attachment
from entrepot.trust.cosign import (
    LARGEST_BYTES,
    SignatureRule,
    SignatureTable,
    judge,
    signature_layers,
    signature_tag,
    signing_referrers,
)

T = TypeVar("T")
Key: TypeAlias = tuple[str, str, Digest]
"""(registry, repository, manifest)"""
Asked: TypeAlias = tuple[Key, bool]
"""What may be given, and whether it was asked for as what is attached to an image may be."""

_MOST_REMEMBERED = 20_000

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Signatures:
    """Lets images through that are signed as the settings want it, and remembers which are.

    `negative_ttl_s` is how long a refusal holds before signatures are looked for again.
    """

    table: SignatureTable
    flights: Flights[Asked, None]
    metrics: Metrics
    clock: Clock
    negative_ttl_s: float
    _proved: OrderedDict[Key, None] = field(default_factory=OrderedDict)
    _attached: OrderedDict[Key, None] = field(default_factory=OrderedDict)
    _refused: ForAWhile[tuple[str, tuple[str, ...]]] = field(default_factory=ForAWhile)

    def is_settled(
        self, registry: str, repository: str, manifest_digest: Digest, *, attached: bool
    ) -> bool:
        """Whether nothing has to be looked for, without an await: nothing asked, or proved.

        `attached` is as it is for a call.
        """
        if self.table.rule(registry, repository) is None:
            return True
        key = (registry, repository, manifest_digest)
        return _knows(self._proved, key) or (attached and _knows(self._attached, key))

    async def __call__(
        self,
        registry: str,
        repository: str,
        manifest_digest: Digest,
        fetch: Evidence,
        *,
        attached: bool,
    ) -> None:
        """Return if the manifest may be served.

        A manifest that a proved index names is proved with it. What is attached to images needs no
        signature of its own, and proves nothing; it is served only if it is asked for in a way
        that can mean it, `attached`: by digest, or by a tag that is made for it. Raises
        SignatureRefused, and AllFailed, AllThrottled or Offline when it could not be found out.
        """
        rule = self.table.rule(registry, repository)
        key = (registry, repository, manifest_digest)
        if rule is None or self.is_settled(*key, attached=attached):
            return
        asked = (key, attached)
        known = self._refused.get(asked, self.clock())
        if known is not None:
            if rule.warn:
                return
            raise SignatureRefused(*known)
        try:
            await self.flights.join(asked, lambda: self._settle(asked, rule, fetch))
        except (SignatureRefused, Exhausted) as error:
            verdict = "refused" if isinstance(error, SignatureRefused) else "unheard"
            self.metrics.signatures.labels(registry, verdict).inc()
            if not rule.warn:
                raise
            log.warning("signature.missed", reason=str(error))

    async def _settle(self, asked: Asked, rule: SignatureRule, fetch: Evidence) -> None:
        key, attached = asked
        registry, repository, digest = key
        manifest = await fetch.manifest(digest)
        if attached and is_attachment(manifest):
            _remember(self._attached, key)
            return
        search = _Search(rule, self.table.names(registry, repository), fetch)
        if not await self._is_in_a_proved_index(key, fetch):
            if await search.proves(digest):
                self._learn(key, manifest)
            elif not await self._is_in_a_signed_index(key, search):
                raise self._refusal(key, search, manifest)
        _remember(self._proved, key)
        self.metrics.signatures.labels(registry, "proved").inc()

    async def _is_in_a_proved_index(self, key: Key, fetch: Evidence) -> bool:
        registry, repository, digest = key
        for index in await fetch.indexes(digest):
            if (registry, repository, index) in self._proved:
                return await _index_naming(digest, index, fetch) is not None
        return False

    async def _is_in_a_signed_index(self, key: Key, search: _Search) -> bool:
        """Look at the indexes once more: what was proved may have been forgotten since."""
        registry, repository, digest = key
        for named in await search.fetch.indexes(digest):
            index = await _index_naming(digest, named, search.fetch)
            if index is not None and await search.proves(named):
                self._learn((registry, repository, named), index)
                return True
        return False

    def _learn(self, key: Key, manifest: Manifest) -> None:
        """Remember a signed manifest, and with an index all that it names."""
        registry, repository, _ = key
        if is_index(manifest.media_type):
            for child in descriptors(manifest):
                _remember(self._proved, (registry, repository, child.digest))
        _remember(self._proved, key)

    def _refusal(self, key: Key, search: _Search, manifest: Manifest) -> EntrepotError:
        registry, repository, digest = key
        found = "; ".join(search.found)
        title = f"{registry}/{repository}@{digest}"
        if search.unheard is not None:
            return _unheard(f"{title}: its signature could not be looked at: {found}", search)
        message = (
            f"{title} is not signed as the settings want it: looked for {search.rule};"
            f" found {found}. Have it signed (cosign sign {title}), or change `verify` of"
            f" {registry} in Entrepot's settings"
        )
        wall_s = self.clock()
        told = (message, tuple(search.found))
        for attached in (False,) if is_attachment(manifest) else (False, True):
            self._refused.put((key, attached), told, wall_s, wall_s + self.negative_ttl_s)
        return SignatureRefused(*told)


def _remember(known: OrderedDict[Key, None], key: Key) -> None:
    known[key] = None
    known.move_to_end(key)
    while len(known) > _MOST_REMEMBERED:
        known.popitem(last=False)


def _knows(known: OrderedDict[Key, None], key: Key) -> bool:
    if key not in known:
        return False
    known.move_to_end(key)
    return True


@dataclass(slots=True)
class _Search:
    """A look for a good signature. `found` is what was seen instead, `unheard` who did not tell."""

    rule: SignatureRule
    names: tuple[str, ...]
    fetch: Evidence
    found: list[str] = field(default_factory=list)
    unheard: Exhausted | TransferBroken | None = None

    async def proves(self, image: Digest) -> bool:
        """Whether there is one: under the image's tag for them, or among its referrers."""
        tag = signature_tag(image)
        attached = await self._got(f"tag {tag}", self.fetch.manifest(tag))
        if attached is not None and await self._is_signed_by(f"tag {tag}", attached, image):
            return True
        index = await self._got(f"referrers of {image}", self.fetch.referrers(image))
        if index is None:
            return False
        referrers = signing_referrers(index)
        if not referrers:
            self.found.append(f"referrers of {image}: no signature among them")
        for referrer in referrers:
            where = f"referrer {referrer.digest}"
            attached = await self._got(where, self.fetch.manifest(referrer.digest))
            if attached is not None and await self._is_signed_by(where, attached, image):
                return True
        return False

    async def _is_signed_by(self, where: str, attached: Manifest, image: Digest) -> bool:
        layers = signature_layers(attached)
        if not layers:
            self.found.append(f"{where}: holds no signature")
        for layer in layers:
            body = await self._got(where, self.fetch.blob(layer.digest, LARGEST_BYTES))
            if body is None:
                continue
            # A signature is proved in a tenth of a millisecond, a certificate in some.
            reason = await asyncio.to_thread(judge, layer, body, image, self.names, self.rule)
            if not reason:
                return True
            self.found.append(f"{where}: {reason}")
        return False

    async def _got(self, what: str, asked: Awaitable[T]) -> T | None:
        try:
            return await asked
        except (ManifestUnknown, BlobUnknown):
            self.found.append(f"{what}: not there")
        except (Exhausted, TransferBroken) as error:
            self.unheard = error
            self.found.append(f"{what}: {error}")
        return None


async def _index_naming(digest: Digest, index: Digest, fetch: Evidence) -> Manifest | None:
    """Get an index if that is what it is, and it names a manifest."""
    try:
        manifest = await fetch.manifest(index)
    except Exhausted:  # it was here a moment ago; then it does not help
        return None
    if not is_index(manifest.media_type):
        return None
    return manifest if any(one.digest == digest for one in descriptors(manifest)) else None


def _unheard(message: str, search: _Search) -> Exhausted:
    match search.unheard:
        case Offline(attempts=attempts):
            return Offline(message, attempts)
        case AllThrottled(attempts=attempts):
            return AllThrottled(message, attempts)
        case Exhausted(attempts=attempts):
            return AllFailed(message, attempts)
        case _:
            return AllFailed(message)
