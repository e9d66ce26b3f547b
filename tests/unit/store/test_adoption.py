"""Files become rows: a manifest with what it lists, anything else as a blob."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.store.adoption import MOST_MANIFEST_BYTES, Looked, adoption, look_into
from entrepot.store.layout import Layout
from entrepot.store.walk import Found
from fakes.images import image, index
from unit.store.keeping import OLD, keeping

IMAGE = image(1)


def put(layout: Layout, data: bytes) -> Found:
    digest = Digest.of(data)
    path = layout.blob(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return Found(digest, len(data), OLD)


@pytest.mark.parametrize(
    ("data", "is_manifest"),
    [
        (IMAGE.manifest, True),
        (index([IMAGE]).manifest, True),
        (IMAGE.config, False),
        (b"", False),
        (b"\x1f\x8b" + IMAGE.manifest, False),
        (IMAGE.manifest + b" " * MOST_MANIFEST_BYTES, False),
    ],
    ids=["manifest", "index", "config", "empty", "other bytes", "too long"],
)
def test_what_a_file_is(tmp_path: Path, data: bytes, is_manifest: bool) -> None:
    layout = Layout(tmp_path)
    looked = look_into(layout, put(layout, data))
    assert looked is not None
    assert (looked.manifest is not None) is is_manifest


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    assert look_into(Layout(tmp_path), Found(Digest.of(b"x"), 1, OLD)) is None


async def test_rows_of_a_manifest_and_of_a_blob(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        layout = kept.store.layout
        found = [put(layout, data) for data in (IMAGE.manifest, *IMAGE.blobs)]
        told = await asyncio.to_thread(lambda: [look_into(layout, each) for each in found])
        looked = [one for one in told if one is not None]
        await kept.catalog.write(adoption(looked))
        assert await kept.digests() == {each.digest for each in found}
        manifest = await kept.catalog.manifest(IMAGE.digest)
        assert manifest is not None
        assert (manifest.media_type, manifest.used_at) == (IMAGE.media_type, OLD)
        assert await kept.table("links", "manifest", "child", "size") == {
            (str(IMAGE.digest), str(each.digest), each.size) for each in found[1:]
        }


async def test_what_is_known_already_stays_as_it_is(tmp_path: Path) -> None:
    async with keeping(tmp_path) as kept:
        digest = await kept.put_blob(b"layer")
        before = await kept.catalog.blob(digest)
        await kept.catalog.write(adoption([Looked(Found(digest, 5, 1.0), None)]))
        assert await kept.catalog.blob(digest) == before


async def test_who_brought_it_is_entered_later(tmp_path: Path) -> None:
    """The sweep may be quicker than the fill's own entry."""
    async with keeping(tmp_path) as kept:
        digest = await kept.put_file(b"layer")
        await kept.catalog.write(adoption([Looked(Found(digest, 5, 1.0), None)]))
        await kept.put_blob(b"layer")
        record = await kept.catalog.blob(digest)
        assert record is not None
        assert (record.registry, record.mirror, record.seconds) == ("registry.example", "first", 1)
