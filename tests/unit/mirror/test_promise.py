from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.mirror.promise import believe, was_too_large
from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore

DATA = b"all there is"


@pytest.mark.parametrize(
    ("promised", "there", "too_large"),
    [(20, DATA, True), (20, DATA[:-1], False), (20, b"", False), (12, DATA, False)],
)
async def test_a_promise_is_corrected_when_the_whole_is_there_without_it(
    promised: int, there: bytes, too_large: bool, tmp_path: Path
) -> None:
    store = BlobStore(tmp_path)
    await store.open()
    partial = await store.begin(Digest.of(DATA))
    partial.size = promised
    await partial.write(0, there)
    assert await was_too_large(partial) is too_large
    assert partial.size == (len(DATA) if too_large else promised)
    await store.aclose()


@pytest.mark.parametrize(
    ("manifest", "before", "size", "kept"),
    [
        (None, 20, 20, 12),
        (None, None, None, 12),
        (12, 20, 12, 12),
        (12, None, 12, 12),
        (5, 20, 5, 0),
    ],
)
async def test_a_manifest_is_believed_rather_than_what_a_mirror_said_before(
    manifest: int | None, before: int | None, size: int | None, kept: int, tmp_path: Path
) -> None:
    store = BlobStore(tmp_path)
    await store.open()
    partial = await store.begin(Digest.of(DATA))
    if before is not None:
        partial.size = before
    await partial.write(0, DATA)
    await believe(manifest, partial)
    assert (partial.size, partial.written.total) == (size, kept)
    await store.aclose()
