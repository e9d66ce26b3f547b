"""How one mirror's copy differs from the owner's: what the manifests alone do not tell is fetched.

That is at most two more manifests and a configuration of each mirror, and nothing of those that
have the owner's bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from entrepot.errors import AttemptError
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, descriptors
from entrepot.oci.mediatype import is_index, read_document
from entrepot.survey.asking import fetch_manifest, patiently
from entrepot.survey.official import Official
from entrepot.survey.panel import Member, Panel
from entrepot.survey.wanted import Wanted
from entrepot.trust.fidelity import Fidelity, compare, diff_ids
from entrepot.trust.pins import Pins
from entrepot.trust.repair import repair
from entrepot.upstream.limits import Kind

LARGEST_CONFIG_BYTES = 1 << 20
_MOST_HOLDERS = 2
_USUAL = ("linux", "amd64")
_ARCHITECTURES = ("amd64", "arm64", "arm", "ppc64le", "s390x", "386", "riscv64")

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Class:
    """What a copy is; `detail` says more to a person. None: there is nothing to compare with."""

    fidelity: Fidelity | None
    detail: str = ""


@dataclass(slots=True)
class Classifier:
    """Compares the copies of one image; `pins` also tell what the parts of an index are called."""

    panel: Panel
    wanted: Wanted
    official: Official | None
    pins: Pins
    _manifests: dict[Digest, Manifest] = field(default_factory=dict)
    _configs: dict[Digest, bytes] = field(default_factory=dict)

    async def classify(self, member: Member, received: Manifest) -> Class:
        """Tell the class of what a mirror gave for the tag."""
        official = self.official
        if official is None:
            return Class(None, "no pin, no owner, and no two mirrors that agree")
        if official.manifest is None:
            return await asyncio.to_thread(self._without_the_owners, received)
        quick = await asyncio.to_thread(compare, official.manifest, received)
        if quick is not Fidelity.OTHER:
            if quick is Fidelity.RESERIALISED:
                return await asyncio.to_thread(_written_anew, official.manifest, received)
            return Class(quick)
        if not is_index(official.manifest.media_type):
            if is_index(received.media_type):
                return Class(Fidelity.OTHER, "an index where the owner has one image")
            return Class(await self._of_images(member, official.manifest, received))
        if is_index(received.media_type):
            return await self._of_indexes(member, official.manifest, received)
        return await self._in_place_of_index(member, official.manifest, received)

    async def child(self, member: Member, entry: Descriptor) -> Manifest | None:
        """Fetch a manifest that a mirror's index names, or take it from those fetched before."""
        return await self._fetched(entry.digest, (member,))

    def proved(self, claimed: Class, image: Manifest, layer: Descriptor, found: Digest) -> Class:
        """Hold what a layer unpacks to against the configuration, where one was compared.

        It is the owner's, so that its `diff_ids` are as well.
        """
        config, *layers = descriptors(image)
        named = diff_ids(self._configs.get(config.digest, b""))
        if claimed.fidelity is not Fidelity.RECOMPRESSED or len(named) != len(layers):
            return claimed
        if found not in {one for one, other in zip(named, layers, strict=True) if other == layer}:
            return Class(Fidelity.OTHER, "the owner's configuration, with a layer of other files")
        what = "its layer unpacks" if len(layers) == 1 else "its largest layer unpacks"
        told = f"{what} to the owner's"
        return Class(claimed.fidelity, f"{claimed.detail}; {told}" if claimed.detail else told)

    def _without_the_owners(self, received: Manifest) -> Class:
        assert self.official is not None
        wanted = self.wanted
        for architecture in _ARCHITECTURES:
            name = f"{wanted.repository}-{architecture}"
            pin = self.pins.pin(wanted.registry, name, wanted.tag)
            if pin is not None and (
                pin.allows(received.digest) or repair(received.body, pin.digests)
            ):
                return Class(Fidelity.SINGLE_ARCH, f"the owner's {name}")
        return Class(None, "differs, and nobody has the owner's manifest to compare it with")

    async def _of_images(self, member: Member, official: Manifest, received: Manifest) -> Fidelity:
        config = _config(official)
        if config is None or config.digest != _digest(_config(received)):
            return Fidelity.OTHER
        body = await self._config_body(member, config)
        return await asyncio.to_thread(compare, official, received, body)

    async def _in_place_of_index(
        self, member: Member, official: Manifest, received: Manifest
    ) -> Class:
        """Find out which part of the index this could be: its configuration names the platform."""
        config = _config(received)
        body = await self._config_body(member, config) if config is not None else b""
        platform = _platform(body)
        entry = _by_platform(official).get(platform) if platform is not None else None
        if entry is None:
            return Class(Fidelity.OTHER, "an image that is for none of the index's platforms")
        assert self.official is not None
        child = await self._fetched(entry.digest, self.official.holders[:_MOST_HOLDERS])
        if child is None:
            return Class(Fidelity.OTHER, "no part of the owner's index as it is")
        found = await asyncio.to_thread(compare, child, received, body)
        if found is Fidelity.OTHER:
            return Class(found, f"not what the owner has for {entry.platform}")
        if found is Fidelity.RESERIALISED:
            found = Fidelity.SINGLE_ARCH
        return Class(found, f"{entry.platform} only")

    async def _of_indexes(self, member: Member, official: Manifest, received: Manifest) -> Class:
        ours, theirs = _by_platform(official), _by_platform(received)
        known = {entry.digest for entry in ours.values()}
        if theirs and all(entry.digest in known for entry in theirs.values()):
            told = f"an index of {len(theirs)} of the owner's {len(ours)} platforms"
            return Class(Fidelity.SINGLE_ARCH, told)
        shared = sorted(ours.keys() & theirs.keys(), key=lambda key: (key != _USUAL, key))
        if not shared:
            return Class(Fidelity.OTHER, "an index of none of the owner's platforms")
        assert self.official is not None
        key = shared[0]
        child = await self._fetched(ours[key].digest, self.official.holders[:_MOST_HOLDERS])
        copy = await self._fetched(theirs[key].digest, (member,))
        if child is None or copy is None:
            return Class(Fidelity.OTHER, "the parts of its index could not be had to compare them")
        found = await asyncio.to_thread(compare, child, copy)
        if found is Fidelity.OTHER:
            found = await self._of_images(member, child, copy)
        return Class(found, f"seen by {ours[key].platform}")

    async def _fetched(self, digest: Digest, members: tuple[Member, ...]) -> Manifest | None:
        found = self._manifests.get(digest)
        for member in members:
            if found is None:
                found = await fetch_manifest(self.panel, member, self.wanted.repository, digest)
        if found is not None:
            self._manifests[digest] = found
        return found

    async def _config_body(self, member: Member, config: Descriptor) -> bytes:
        """Fetch a configuration; nothing when it is too long, not what it should be, or not there.

        It proves itself, so that anybody's will do.
        """
        if config.size > LARGEST_CONFIG_BYTES:
            return b""
        if self.panel.manners.refusal(member.settings.url, Kind.BLOB):
            return b""
        await self.panel.manners.turn(member.client, Kind.BLOB)

        async def read() -> bytes:
            stream = await member.client.open_blob(
                self.wanted.repository, config.digest, expected_size=config.size
            )
            body = bytearray()
            try:
                while len(body) <= config.size and (piece := await stream.read()):
                    body += piece
                return bytes(body)
            finally:
                await stream.aclose()

        try:
            body = await patiently(self.panel, member, read)
        except AttemptError:
            return b""
        if not config.digest.matches(body):
            return b""
        self._configs[config.digest] = body
        return body


def _written_anew(official: Manifest, received: Manifest) -> Class:
    """Tell whether the owner's bytes can be had of it; for a thread."""
    found = repair(received.body, {official.digest})
    told = f"written back: {found.form}" if found else "in no way that can be written back"
    return Class(Fidelity.RESERIALISED, told)


def _by_platform(index: Manifest) -> Mapping[_Key, Descriptor]:
    """Sort an index's entries by system and architecture; of several variants the first counts."""
    found: dict[_Key, Descriptor] = {}
    for entry in descriptors(index):
        if entry.platform is not None and entry.platform.os != "unknown":
            _ = found.setdefault((entry.platform.os, entry.platform.architecture), entry)
    return found


def _platform(config: bytes) -> _Key | None:
    try:
        document = read_document(config)
    except ValueError:
        return None
    system, architecture = document.get("os"), document.get("architecture")
    if not isinstance(system, str) or not isinstance(architecture, str):
        return None
    return system, architecture


def _config(manifest: Manifest) -> Descriptor | None:
    found = descriptors(manifest)
    return found[0] if found else None


def _digest(entry: Descriptor | None) -> Digest | None:
    return entry.digest if entry is not None else None
