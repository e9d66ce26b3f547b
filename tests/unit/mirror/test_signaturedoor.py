"""Every manifest passes the door for signatures, whatever the way it was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from entrepot.errors import Untrusted
from entrepot.mirror.names import ImageName
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Reference
from fakes.images import image, index
from fakes.registry import FakeRegistry
from unit.web.serving import NS, serving

BOTH = index([image(1), image(1, platform="linux/arm64/v8")])


@dataclass
class Door:
    """Opens for what is in `signed`, once somebody has asked for it."""

    signed: set[Digest]
    seen: set[Digest] = field(default_factory=set)
    asked: list[tuple[str, str, Digest]] = field(default_factory=list)

    def is_open(self, image: ImageName, reference: Reference, digest: Digest) -> bool:
        return digest in self.seen

    async def pass_through(
        self, image: ImageName, reference: Reference, digest: Digest, deadline: float
    ) -> None:
        assert deadline > 0
        self.asked.append((image.registry, str(image.repository), digest))
        if digest not in self.signed:
            raise Untrusted(f"{digest} is not signed")
        self.seen.add(digest)


async def test_what_is_not_signed_is_not_served(tmp_path: Path) -> None:
    child = BOTH.images[0].digest
    door = Door({BOTH.digest})
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", BOTH)
        # what the wiring does when the settings ask for signatures
        object.__setattr__(served.server.services, "signatures", door)
        for _ in range(2):
            got = await served.get(f"/v2/pause/manifests/3.1{NS}")
            assert (got.status, got.body) == (200, BOTH.manifest)
        assert door.asked == [("registry.k8s.io", "pause", BOTH.digest)]
        for _ in range(2):  # the second time from memory
            refused = await served.get(f"/v2/pause/manifests/{child}{NS}")
            assert refused.status == 502
            assert f"{child} is not signed".encode() in refused.body
