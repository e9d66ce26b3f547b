from __future__ import annotations

from pathlib import Path

from entrepot.mirror.destination import Destination
from entrepot.mirror.places import Places
from entrepot.mirror.window import Checkpoint, Window
from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore
from entrepot.store.threads import DiskThreads

DATA = b"0123456789"
DIGEST = Digest.of(DATA)


async def bring(destination: Destination) -> None:
    destination.size = len(DATA)
    await destination.write(0, DATA[:4])
    assert (destination.front, destination.written.total) == (4, 4)
    await destination.write(4, [DATA[4:6], b"", DATA[6:]])
    assert (destination.front, destination.written.total) == (10, 10)


async def test_a_file_and_memory_take_bytes_in_the_same_way(tmp_path: Path) -> None:
    store, threads = BlobStore(tmp_path), DiskThreads("test", 1)
    await store.open()
    partial = await store.begin(DIGEST)
    await bring(partial)
    assert await partial.verify()
    window = Window(DIGEST, Checkpoint(0, DIGEST.hasher()), Places(), threads)
    await bring(window)
    assert window.prove()
    window.close()
    await store.aclose()
    await threads.aclose()
