"""The door for signatures: it opens for images that are signed as the settings want it."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.mirror.blobs import Blobs
from entrepot.mirror.evidence import Evidence
from entrepot.mirror.listings import Listings
from entrepot.mirror.names import ImageName
from entrepot.mirror.signatures import Signatures
from entrepot.mirror.tags import Tags
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Reference
from entrepot.trust.attachments import is_asked_as_attachment


@dataclass(frozen=True, slots=True)
class SigningDoor:
    """Lets a `Signatures` look for what it needs behind the door."""

    check: Signatures
    tags: Tags
    blobs: Blobs
    listings: Listings

    def is_open(self, image: ImageName, reference: Reference, digest: Digest) -> bool:
        """Whether nothing has to be looked for; no await, no I/O."""
        attached = is_asked_as_attachment(reference)
        return self.check.is_settled(image.registry, image.repository, digest, attached=attached)

    async def pass_through(
        self, image: ImageName, reference: Reference, digest: Digest, deadline: float
    ) -> None:
        """Return if the manifest may be given; `deadline` is loop time.

        Raises SignatureRefused, and AllFailed, AllThrottled or Offline when signatures could not
        be looked at.
        """
        fetch = Evidence(self.tags, self.blobs, self.listings, image, deadline)
        attached = is_asked_as_attachment(reference)
        await self.check(image.registry, image.repository, digest, fetch, attached=attached)
