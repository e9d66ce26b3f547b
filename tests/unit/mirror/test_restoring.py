"""Official bytes of a mirror's copies, with mirrors that are really asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.errors import AllFailed, ManifestUnknown, Untrusted
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, read_manifest
from entrepot.oci.reference import Tag
from entrepot.trust.ledger import Verdict
from entrepot.trust.level import Level
from fakes.images import DOCKER_LIST, DOCKER_MANIFEST, image, index
from fakes.registry import FakeRegistry
from mirroring import PAUSE, REGISTRY, Mirroring, mirroring
from unit.mirror.trusting import rules

DATA = Path(__file__).parents[2] / "data"
INDEX = (DATA / "pause-3.1.index.json").read_bytes()
AMD64 = (DATA / "pause-3.1-amd64.manifest.json").read_bytes()
OFFICIAL = read_manifest(INDEX, None)
OFFICIAL_AMD64 = read_manifest(AMD64, None)
TAG = Tag("3.1")

WAYS: dict[str, Callable[[object], str]] = {
    "compact": lambda parsed: json.dumps(parsed, separators=(",", ":")),
    "2 spaces": lambda parsed: json.dumps(parsed, indent=2),
    "one line": json.dumps,
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())


def written(body: bytes, way: Callable[[object], str]) -> bytes:
    return way(json.loads(body)).encode()


def rewritten(registry: FakeRegistry, way: Callable[[object], str], tag: str = "3.1") -> Digest:
    """Push as a mirror does that writes the manifest anew, then an index of the new digests."""
    child = registry.put_manifest("pause", None, written(AMD64, way), DOCKER_MANIFEST)
    parsed = json.loads(INDEX)
    for entry in parsed["manifests"]:
        if entry["digest"] == str(OFFICIAL_AMD64.digest):
            entry |= {"digest": str(child), "size": len(written(AMD64, way))}
    return registry.put_manifest("pause", tag, way(parsed).encode(), DOCKER_LIST)


async def by_digest(layer: Mirroring, digest: Digest) -> Manifest:
    return (await layer.manifests.get(PAUSE, digest, layer.deadline())).manifest


@EVERY_WAY
async def test_a_pinned_index_is_restored_with_the_manifests_that_were_written_anew_too(
    way: Callable[[object], str], tmp_path: Path
) -> None:
    pinned = rules(v3_1=OFFICIAL.digest)
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url, rules=pinned) as layer:
        sent = rewritten(mirror, way)
        served = await layer.tags.get(PAUSE, TAG, layer.deadline())
        assert served.manifest.body == INDEX
        assert served.manifest.media_type == DOCKER_LIST
        mirror.clear()
        assert (await by_digest(layer, OFFICIAL_AMD64.digest)).body == AMD64
        assert mirror.requests == []  # restored on the way, and kept
        [record] = await layer.manifests.ledger.records(reference="3.1")
        assert (record.verdict, record.received, record.digest, record.level) == (
            Verdict.REPAIRED,
            sent,
            OFFICIAL.digest,
            Level.PIN,
        )


@EVERY_WAY
async def test_a_manifest_of_a_known_index_is_restored_when_asked_for_by_its_digest(
    way: Callable[[object], str], tmp_path: Path
) -> None:
    async with (
        FakeRegistry() as verbatim,
        FakeRegistry() as mirror,
        mirroring(tmp_path, mirror.url, verbatim.url, rules=rules(v3_1=OFFICIAL.digest)) as layer,
    ):
        verbatim.put_manifest("pause", "3.1", INDEX, DOCKER_LIST)
        await layer.tags.get(PAUSE, TAG, layer.deadline())
        await verbatim.stop()
        rewritten(mirror, way)
        assert (await by_digest(layer, OFFICIAL_AMD64.digest)).body == AMD64
        [record] = await layer.manifests.ledger.records(digest=OFFICIAL_AMD64.digest)
        assert (record.mirror, record.level) == ("mirror0", Level.DIGEST)


async def test_a_mirror_with_one_architecture_only_gives_that_one(tmp_path: Path) -> None:
    """As docker.io/mirrorgooglecontainers: the amd64 manifest stands under the tag."""
    async with (
        FakeRegistry() as verbatim,
        FakeRegistry() as single,
        mirroring(tmp_path, verbatim.url, single.url) as layer,
    ):
        verbatim.put_manifest("pause", "3.1", INDEX, DOCKER_LIST)
        await layer.tags.get(PAUSE, TAG, layer.deadline())
        await verbatim.stop()
        single.put_manifest("pause", "3.1", written(AMD64, WAYS["compact"]), DOCKER_MANIFEST)
        assert (await by_digest(layer, OFFICIAL_AMD64.digest)).body == AMD64


async def test_an_index_is_restored_by_its_digest_where_the_tag_is_pinned(tmp_path: Path) -> None:
    pinned = rules(v3_1=OFFICIAL.digest)
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url, rules=pinned) as layer:
        rewritten(mirror, WAYS["compact"])
        assert (await by_digest(layer, OFFICIAL.digest)).body == INDEX


async def test_what_cannot_be_restored_stays_unknown(tmp_path: Path) -> None:
    other = index([image("x"), image("x", platform="linux/arm64")])
    pinned = rules(v3_1=OFFICIAL.digest)
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url, rules=pinned) as layer:
        mirror.put_image("pause", "3.1", other)
        with pytest.raises(ManifestUnknown):
            await by_digest(layer, OFFICIAL.digest)
        with pytest.raises(Untrusted, match=str(other.digest)):
            await layer.tags.get(PAUSE, TAG, layer.deadline())


async def test_a_hostile_copy_costs_its_time_once(tmp_path: Path) -> None:
    hostile = {
        "schemaVersion": 2,
        "mediaType": DOCKER_LIST,
        "manifests": [
            {
                "mediaType": DOCKER_MANIFEST,
                "size": 1,
                "digest": f"sha256:{number:064x}",
                "platform": {"architecture": "arm64", "os": "linux", "variant": "<&>"},
            }
            for number in range(200)
        ],
    }
    pinned = rules(v3_1=OFFICIAL.digest)
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url, rules=pinned) as layer:
        mirror.put_manifest("pause", "3.1", json.dumps(hostile).encode(), DOCKER_LIST)
        took = []
        for _ in range(2):
            layer.clock.now += 31
            began = time.monotonic()
            with pytest.raises((Untrusted, AllFailed)):
                await layer.tags.get(PAUSE, TAG, layer.deadline(60.0))
            took.append(time.monotonic() - began)
        assert took[1] < 0.1 < took[0]
        assert layer.manifests.ledger.demoted(REGISTRY) == {"mirror0"}
