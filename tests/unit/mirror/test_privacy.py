"""What is held is given only in the name of a registry that has it, where any is private (P27)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.mirror import privacy as module
from entrepot.mirror.privacy import Privacy
from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore

DATA = b"content"
DIGEST = Digest.of(DATA)
MINE, OTHER = "mine.example", "docker.io"

pytestmark = pytest.mark.rule("P27")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[BlobStore]:
    store = BlobStore(tmp_path / "cache")
    await store.open()
    yield store
    await store.aclose()


async def test_without_private_registries_nothing_is_withheld(store: BlobStore) -> None:
    privacy = Privacy(store)
    await store.put(DIGEST, DATA, public=False)
    assert await privacy.may_give(OTHER, DIGEST)
    assert privacy.is_known_public(OTHER, DIGEST)
    assert not privacy.covers(MINE)


async def test_what_is_private_is_given_in_its_own_name_only(store: BlobStore) -> None:
    privacy = Privacy(store, frozenset({MINE}))
    await store.put(DIGEST, DATA, public=False)
    privacy.learn(MINE, DIGEST)
    assert await privacy.may_give(MINE, DIGEST)
    assert not await privacy.may_give(OTHER, DIGEST)
    await privacy.publish(MINE, DIGEST)
    assert not await privacy.may_give(OTHER, DIGEST)


async def test_a_public_registry_that_has_it_opens_it_for_good(store: BlobStore) -> None:
    privacy = Privacy(store, frozenset({MINE}))
    await store.put(DIGEST, DATA, public=False)
    await privacy.publish(OTHER, DIGEST)
    assert privacy.is_known_public(OTHER, DIGEST)
    assert await Privacy(store, frozenset({MINE})).may_give(OTHER, DIGEST)


async def test_what_was_public_before_stays_so(store: BlobStore) -> None:
    await store.put(DIGEST, DATA)
    privacy = Privacy(store, frozenset({MINE}))
    assert not privacy.is_known_public(OTHER, DIGEST)
    assert await privacy.may_give(OTHER, DIGEST)
    assert privacy.is_known_public(OTHER, DIGEST)


async def test_memory_is_bounded_and_forgetting_is_safe(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 2)
    privacy = Privacy(store, frozenset({MINE}))
    for number in range(5):
        privacy.learn(OTHER, Digest.of(b"%d" % number))
    assert not privacy.is_known_public(OTHER, Digest.of(b"0"))
    assert privacy.is_known_public(OTHER, Digest.of(b"4"))
