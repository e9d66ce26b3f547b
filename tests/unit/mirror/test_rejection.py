from __future__ import annotations

from pathlib import Path

from entrepot.mirror.fetch import Fetch
from entrepot.mirror.places import Places
from entrepot.mirror.rejection import reject
from entrepot.mirror.wanted import Wanted
from entrepot.mirror.window import Checkpoint, Window
from entrepot.oci.digest import Digest
from fakes.registry import FakeRegistry
from mirroring import PAUSE, mirroring

DIGEST = Digest.of(b"rejection")


async def test_who_is_rejected_is_told_of_and_not_asked_again(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, mirroring(tmp_path, mirror.url) as layer:
        threads = layer.fills.relays.threads
        fetch = Fetch(
            wanted=Wanted(DIGEST, layer.registry, PAUSE.repository),
            partial=Window(DIGEST, Checkpoint(0, None), Places(), threads),
            rules=layer.fills.rules,
            set_aside=layer.fills.set_aside,
            metrics=layer.metrics,
            progressed=lambda: None,
        )
        reject(fetch, ())
        assert not fetch.sources["mirror0"].given_up
        reject(fetch, {"mirror0"})
        [record] = await layer.manifests.ledger.records(digest=None, mirror="mirror0")
        assert (record.reference, record.note) == (DIGEST, "wrong bytes for a blob")
        assert fetch.sources.exhausted
        assert [one.outcome for one in fetch.attempts] == ["wrong answer"]
        told = layer.metrics.render().decode()
        assert (
            f'entrepot_rejected_blobs_total{{mirror="mirror0",registry="{PAUSE.registry}"}}' in told
        )
