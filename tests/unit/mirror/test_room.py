from __future__ import annotations

from pathlib import Path

from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag
from fakes.images import image
from fakes.registry import FakeRegistry
from mirroring import PAUSE, mirroring, read_all


async def test_a_blob_that_was_fetched_is_entered_with_its_origin(tmp_path: Path) -> None:
    picture = image("entered", layers=[3000])
    digest = Digest.of(picture.layers[0])
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", picture)
        await layer.tags.get(PAUSE, Tag("3.1"), layer.deadline())
        await read_all(await layer.blobs.open(PAUSE, digest, layer.deadline()))
        await layer.fills.settled()
        blob = await layer.catalog.blob(digest)
        assert blob is not None
        assert (blob.size, blob.registry, blob.mirror) == (3000, PAUSE.registry, "mirror0")
        assert blob.used_at == layer.clock.now
        totals = await layer.catalog.totals()
        assert (totals.blobs, totals.bytes) == (2, 3000 + len(picture.manifest))
