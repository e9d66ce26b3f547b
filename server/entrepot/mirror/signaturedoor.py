"""Where signatures are asked for: between finding a manifest and giving it to a client."""

from __future__ import annotations

from typing import Protocol

from entrepot.mirror.names import ImageName
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Reference


class SignatureDoor(Protocol):
    """Asked for each manifest that is served, by tag or digest, from wherever it comes.

    What it fetches to come to its verdict it asks of the mirror layer, which has no such door.
    """

    def is_open(self, image: ImageName, reference: Reference, digest: Digest) -> bool:
        """Whether nothing has to be looked for: no await, no I/O, on the way of every request."""

    async def pass_through(
        self, image: ImageName, reference: Reference, digest: Digest, deadline: float
    ) -> None:
        """Return if the manifest `digest` may be given for `reference`; EntrepotError if not.

        `deadline` is loop time.
        """
