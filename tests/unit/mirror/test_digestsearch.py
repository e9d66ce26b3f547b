"""A manifest by its digest, under whatever name a mirror has it, and what the ledger hears."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.errors import AllFailed
from entrepot.oci.reference import Tag
from entrepot.trust.ledger import Verdict
from fakes.images import image
from fakes.registry import FakeRegistry
from mirroring import PAUSE, mirroring

GOOD = image("good")


async def test_a_digest_that_a_mirror_has_is_asked_for_once(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", None, GOOD)
        await layer.manifests.get(PAUSE, GOOD.digest, layer.deadline())
        assert len(registry.requests) == 1
        assert await layer.manifests.ledger.records() == ()  # it proves itself


async def test_wrong_bytes_are_a_lie_and_written_down(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        wrong = json.dumps(json.loads(GOOD.manifest)).encode()
        registry.content.put_manifest("pause", None, wrong, GOOD.media_type, GOOD.digest)
        with pytest.raises(AllFailed):
            await layer.manifests.get(PAUSE, GOOD.digest, layer.deadline())
        [record] = await layer.manifests.ledger.records()
        assert (record.reference, record.verdict) == (GOOD.digest, Verdict.REFUSED)
        assert layer.manifests.ledger.demoted(PAUSE.registry) == {"mirror0"}


async def test_a_manifest_that_was_held_is_looked_for_under_its_tag(tmp_path: Path) -> None:
    """Its bytes are lost here, and the mirror has meanwhile written it anew."""
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", GOOD)
        await layer.tags.get(PAUSE, Tag("3.1"), layer.deadline())
        layer.manifests.forget([GOOD.digest])
        await layer.store.delete(GOOD.digest)
        repository = registry.content.repository("pause")
        repository.manifests.clear()
        anew = json.dumps(json.loads(GOOD.manifest), separators=(",", ":")).encode()
        registry.put_manifest("pause", "3.1", anew, GOOD.media_type)
        served = await layer.manifests.get(PAUSE, GOOD.digest, layer.deadline())
        assert served.manifest.body == GOOD.manifest
