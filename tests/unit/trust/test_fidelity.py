"""The five classes of copies, each told from the two manifests."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, read_manifest
from entrepot.trust.fidelity import Fidelity, compare, diff_ids, unpacked

DATA = Path(__file__).parents[2] / "data"
INDEX = read_manifest((DATA / "pause-3.1.index.json").read_bytes(), None)
AMD64 = read_manifest((DATA / "pause-3.1-amd64.manifest.json").read_bytes(), None)

UNPACKED = Digest.of(b"layer")
CONFIG = json.dumps({"rootfs": {"type": "layers", "diff_ids": [str(UNPACKED)]}}).encode()
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


def compact(manifest: Manifest, **changes: object) -> Manifest:
    document = {**json.loads(manifest.body), **changes}
    return read_manifest(json.dumps(document, separators=(",", ":")).encode(), None)


def image(config: bytes, *layers: bytes) -> Manifest:
    def descriptor(data: bytes) -> dict[str, object]:
        return {"mediaType": "x/y", "size": len(data), "digest": str(Digest.of(data))}

    document = {
        "schemaVersion": 2,
        "mediaType": DOCKER,
        "config": descriptor(config),
        "layers": [descriptor(layer) for layer in layers],
    }
    return read_manifest(json.dumps(document, indent=3).encode(), None)


OFFICIAL = image(CONFIG, b"packed")


@pytest.mark.parametrize(
    ("official", "received", "fidelity"),
    [
        (INDEX, INDEX, Fidelity.VERBATIM),
        (INDEX, AMD64, Fidelity.SINGLE_ARCH),
        (INDEX, compact(AMD64), Fidelity.SINGLE_ARCH),
        (INDEX, compact(INDEX), Fidelity.RESERIALISED),
        (INDEX, compact(INDEX, annotations={"by": "a mirror"}), Fidelity.RESERIALISED),
        (AMD64, compact(AMD64), Fidelity.RESERIALISED),
        (INDEX, OFFICIAL, Fidelity.OTHER),
        (AMD64, INDEX, Fidelity.OTHER),
        (AMD64, OFFICIAL, Fidelity.OTHER),
        (INDEX, compact(INDEX, manifests=[]), Fidelity.OTHER),
        (OFFICIAL, image(CONFIG, b"packed anew"), Fidelity.RECOMPRESSED),
        (OFFICIAL, image(b"another", b"packed anew"), Fidelity.OTHER),
        (OFFICIAL, image(CONFIG, b"packed", b"more"), Fidelity.OTHER),
    ],
    ids=lambda value: str(value.digest)[7:15] if isinstance(value, Manifest) else value.name,
)
def test_classes(official: Manifest, received: Manifest, fidelity: Fidelity) -> None:
    assert compare(official, received, CONFIG) is fidelity


def test_indexes_of_the_same_children_in_another_order() -> None:
    turned = compact(INDEX, manifests=json.loads(INDEX.body)["manifests"][::-1])
    assert compare(INDEX, turned) is Fidelity.RESERIALISED


def test_without_the_right_config_nothing_is_taken_for_packed_anew() -> None:
    received = image(CONFIG, b"packed anew")
    assert compare(OFFICIAL, received) is Fidelity.OTHER
    assert compare(OFFICIAL, received, CONFIG + b" ") is Fidelity.OTHER


def test_a_config_that_names_too_few_layers_proves_nothing() -> None:
    config = b"{}"
    assert compare(image(config, b"a"), image(config, b"b"), config) is Fidelity.OTHER


def test_manifests_that_point_at_nothing_are_not_alike() -> None:
    one = Manifest(Digest.of(b"1"), DOCKER, b'{"layers":[],"a":1}')
    other = Manifest(Digest.of(b"2"), DOCKER, b'{"layers":[],"b":1}')
    assert compare(one, other) is Fidelity.OTHER


def test_a_layer_is_known_by_what_it_unpacks_to() -> None:
    assert diff_ids(CONFIG) == (UNPACKED,)
    for packed in (b"layer", gzip.compress(b"layer"), gzip.compress(b"lay") + gzip.compress(b"er")):
        assert unpacked(packed) == UNPACKED


@pytest.mark.parametrize(
    "layer",
    [
        gzip.compress(b"layer")[:-1],
        gzip.compress(b"layer")[:12] + b"\xff\xff\xff\xff",
        gzip.compress(b"layer") + b"more",
        zstandard.compress(b"layer"),
    ],
    ids=["cut off", "spoilt", "with something behind", "zstd"],
)
def test_what_cannot_be_unpacked_is_not_known(layer: bytes) -> None:
    assert unpacked(layer) is None


@pytest.mark.parametrize(
    "config",
    [
        b"",
        b"[]",
        b'{"rootfs":1}',
        b'{"rootfs":{"diff_ids":1}}',
        b'{"rootfs":{"diff_ids":["x"]}}',
        b'{"rootfs":{"diff_ids":[1]}}',
    ],
)
def test_what_is_no_config_names_no_layers(config: bytes) -> None:
    assert diff_ids(config) == ()


def test_each_class_is_explained_for_the_doctor() -> None:
    assert len({fidelity.explanation for fidelity in Fidelity}) == len(Fidelity)
    assert [fidelity for fidelity in Fidelity if not fidelity.provable] == [
        Fidelity.RECOMPRESSED,
        Fidelity.OTHER,
    ]
