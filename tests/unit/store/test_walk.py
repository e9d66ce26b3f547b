"""What lies below blobs/, and where that is not what the catalog says."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.store.layout import Layout
from entrepot.store.walk import Difference, Part, compared, exists, listed, parts, strays


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def put(layout: Layout, data: bytes) -> Digest:
    digest = Digest.of(data)
    path = layout.blob(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return digest


def part_of(digest: Digest) -> Part:
    return Part(digest.algorithm, digest.hex[:2])


def test_every_digest_is_in_one_part() -> None:
    every = list(parts())
    assert len(every) == len(set(every)) == 512
    for algorithm in ("sha256", "sha512"):
        name = f"{algorithm}:{hashlib.new(algorithm, b'x').hexdigest()}"
        assert sum(part.range[0] <= name < part.range[1] for part in every) == 1


def test_files_are_found_with_size_and_time(layout: Layout) -> None:
    digest = put(layout, b"data")
    os.utime(layout.blob(digest), (5, 7))
    [found] = listed(layout, part_of(digest)).found.values()
    assert (found.digest, found.size, found.mtime) == (digest, 4, 7.0)
    assert listed(layout, Part("sha512", "00")).found == {}


def test_what_does_not_belong_is_odd(layout: Layout) -> None:
    digest = put(layout, b"data")
    directory = layout.blob(digest).parent
    (directory / "name").write_bytes(b"")
    (directory / ("0" * 64 if digest.hex[:2] != "00" else "1" * 64)).write_bytes(
        b"in the wrong one"
    )
    (directory / f"{digest.hex}.tmp").write_bytes(b"")
    (directory / (digest.hex[:2] + "a" * 62)).mkdir()
    (directory / (digest.hex[:2] + "b" * 62)).symlink_to(layout.blob(digest))
    (directory / (digest.hex[:2] + "c" * 62)).write_bytes(b"")
    told = listed(layout, part_of(digest))
    assert (list(told.found), len(told.odd)) == ([digest], 6)


def test_the_empty_blob_is_not_odd(layout: Layout) -> None:
    digest = put(layout, b"")
    assert listed(layout, part_of(digest)).odd == ()


def test_strays_above_the_parts(layout: Layout) -> None:
    put(layout, b"data")
    for name in ("md5", "sha256/zz"):
        (layout.blobs / name).mkdir()
    for name in ("file", "sha256/file", "sha512"):
        (layout.blobs / name).write_bytes(b"")
    told = [str(path.relative_to(layout.blobs)) for path in strays(layout)]
    assert told == ["file", "md5", "sha256/file", "sha256/zz", "sha512"]


def test_no_blobs_at_all(layout: Layout) -> None:
    assert strays(layout) == ()


def test_differences(layout: Layout) -> None:
    digest = put(layout, b"data")
    listing = listed(layout, part_of(digest))
    found = listing.found[digest]
    assert compared(layout, listing, {}) == Difference(unknown=(found,))
    assert compared(layout, listing, {digest: 4}) == Difference()
    assert compared(layout, listing, {digest: 5}) == Difference(resized=(digest,))
    gone = Digest.of(b"gone")
    assert compared(layout, listing, {digest: 4, gone: 1}) == Difference(lost=(gone,))


def test_what_came_after_the_listing_is_not_lost(layout: Layout) -> None:
    digest = Digest.of(b"late")
    listing = listed(layout, part_of(digest))
    put(layout, b"late")
    assert exists(layout, digest)
    assert compared(layout, listing, {digest: 4}) == Difference()
