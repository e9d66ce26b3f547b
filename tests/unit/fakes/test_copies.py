"""Copies are what their names say."""

from __future__ import annotations

import gzip
import json

import pytest

from entrepot.oci.digest import Digest
from fakes.copies import COPYINGS, Copying, copied, recompressed
from fakes.images import Image, image, index
from fakes.registry import FakeRegistry

ROOTFS = image("one", rootfs={"bin/pause": (0o755, b"pause" * 1000)})
BOTH = index([ROOTFS, image("one", platform="linux/arm64")])


def test_copies_of_an_index() -> None:
    made = {copying: copied(BOTH, copying) for copying in COPYINGS}
    assert made["verbatim"] == BOTH
    assert made["single-arch"] == ROOTFS
    assert json.loads(made["re-serialised"].manifest) == json.loads(BOTH.manifest)
    assert len({one.digest for one in made.values()}) == 5


@pytest.mark.parametrize("one", [ROOTFS, image("noise")], ids=["gzip", "noise"])
def test_layers_packed_anew_hold_the_same(one: Image) -> None:
    packed = recompressed(one)
    assert packed.config == one.config
    assert packed.layers != one.layers
    assert recompressed(packed).layers != packed.layers or one is not ROOTFS
    named = [entry["digest"] for entry in json.loads(packed.manifest)["layers"]]
    assert named == [str(Digest.of(layer)) for layer in packed.layers]
    unpacked = [str(Digest.of(gzip.decompress(layer))) for layer in packed.layers]
    assert unpacked == json.loads(one.config)["rootfs"]["diff_ids"]


@pytest.mark.parametrize("copying", COPYINGS)
async def test_a_registry_holds_its_own_kind_of_copy(copying: Copying) -> None:
    async with FakeRegistry(copying=copying) as registry:
        digest = registry.put_image("pause", "3.1", BOTH)
        assert digest == copied(BOTH, copying).digest
