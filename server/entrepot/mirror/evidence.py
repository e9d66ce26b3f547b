"""What a verdict on an image is founded on, got in the same way as a client gets it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from entrepot.errors import StoreError, TransferBroken
from entrepot.mirror.blobs import BlobReader, Blobs
from entrepot.mirror.listings import Listings
from entrepot.mirror.names import ImageName
from entrepot.mirror.tags import Tags
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import OCI_INDEX
from entrepot.oci.reference import Reference
from entrepot.store.parentage import indexes_naming

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Manifests, blobs and referrers of one repository; `deadline` is loop time.

    Nothing of it is itself asked for a signature. Methods raise what their services raise.
    """

    tags: Tags
    blobs: Blobs
    listings: Listings
    image: ImageName
    deadline: float

    async def manifest(self, reference: Reference) -> Manifest:
        """Get the manifest of a tag or a digest; ManifestUnknown when nobody has it."""
        if isinstance(reference, Digest):
            manifests = self.tags.manifests
            return (await manifests.get(self.image, reference, self.deadline)).manifest
        return (await self.tags.get(self.image, reference, self.deadline)).manifest

    async def blob(self, digest: Digest, limit_bytes: int) -> bytes:
        """Get all of a small blob; TransferBroken when it is longer, or not what it is called."""
        reader = await self.blobs.open(self.image, digest, self.deadline)
        try:
            body = await _read(reader, limit_bytes)
            if not digest.matches(body):
                reader.failed()
                raise TransferBroken(f"{digest}: what is held by that name is something else")
        finally:
            reader.close()
        return body

    async def referrers(self, digest: Digest) -> Manifest:
        """Get the index of what refers to a manifest, perhaps an empty one."""
        body, _ = await self.listings.referrers(self.image, digest, self.deadline)
        return Manifest(Digest.of(body), OCI_INDEX, body)

    async def indexes(self, digest: Digest) -> tuple[Digest, ...]:
        """List the indexes held here that name a manifest; none when the disk does not tell."""
        try:
            return await indexes_naming(self.tags.catalog, digest)
        except StoreError as error:
            log.warning("indexes.unreadable", digest=str(digest), reason=str(error))
            return ()


async def _read(reader: BlobReader, limit_bytes: int) -> bytes:
    body = bytearray()
    while reader.size is None or len(body) < reader.size:
        if (reader.size or 0) > limit_bytes or len(body) > limit_bytes:
            raise TransferBroken(f"longer than the {limit_bytes} bytes that it may have")
        stop = await reader.wait(len(body))
        if stop == len(body):
            break
        body += await asyncio.to_thread(_part, reader, len(body), stop)
    return bytes(body)


def _part(reader: BlobReader, start: int, stop: int) -> bytes:
    reader.file.seek(start)
    return reader.file.read(stop - start)
