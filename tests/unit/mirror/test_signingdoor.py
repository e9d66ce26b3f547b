"""The door opens once its check has been passed."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.errors import SignatureRefused
from entrepot.mirror.flights import Flights
from entrepot.mirror.signatures import Signatures
from entrepot.mirror.signingdoor import SigningDoor
from entrepot.oci.reference import Tag
from entrepot.tasks import TaskOwner
from entrepot.trust.cosign import SignatureRule, SignatureTable
from entrepot.trust.cosignkey import CosignKey
from fakes.cosign import Signer, sig_tag, signed
from fakes.images import image
from fakes.registry import FakeRegistry
from mirroring import PAUSE, REGISTRY, mirroring

OWNER = Signer.make("ed25519")
RULE = SignatureRule((CosignKey.parse(OWNER.pem, "cosign.pub"),))
APP, OTHER = image("app"), image("other")


async def test_signed_images_pass_and_others_do_not(tmp_path: Path) -> None:
    owner = TaskOwner("test door")
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", APP)
        registry.put_image("pause", "3.2", OTHER)
        registry.put_image(
            "pause", sig_tag(APP.digest), signed(OWNER, APP.digest, f"{REGISTRY}/pause")
        )
        table = SignatureTable({REGISTRY: (("*", RULE),)})
        check = Signatures(table, Flights(owner, "check"), layer.metrics, layer.clock, 30.0)
        door = SigningDoor(check, layer.tags, layer.blobs, layer.listings)
        assert not door.is_open(PAUSE, Tag("3.1"), APP.digest)
        await door.pass_through(PAUSE, Tag("3.1"), APP.digest, layer.deadline())
        assert door.is_open(PAUSE, Tag("3.1"), APP.digest)
        with pytest.raises(SignatureRefused):
            await door.pass_through(PAUSE, Tag("3.2"), OTHER.digest, layer.deadline())
        assert not door.is_open(PAUSE, Tag("3.2"), OTHER.digest)
        await owner.aclose()
