"""What is odd in the cache is as if it were not there, and never leads elsewhere."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore
from entrepot.store.leftover import remove_partial
from entrepot.store.nofollow import (
    make_private_directory,
    open_for_writing,
    open_regular,
    regular_status,
)

DATA = b"some bytes"
DIGEST = Digest.of(DATA)


def link(path: Path) -> None:
    secret = path.parent.parent / "secret"
    secret.write_bytes(DATA)
    path.symlink_to(secret)


def dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nothing")


def bound(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's whole path is limited to 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


ODD: list[Callable[[Path], None]] = [link, dangling, os.mkfifo, bound, Path.mkdir]


@pytest.mark.parametrize("make", ODD)
def test_what_is_odd_is_not_opened(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "x")
    assert open_regular(tmp_path / "x") is None
    assert regular_status(tmp_path / "x") is None


def test_a_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(DATA)
    with open_regular(tmp_path / "x") as file:  # type: ignore[union-attr]
        assert file.read() == DATA
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "y")
    assert regular_status(tmp_path / "y") is None


@pytest.mark.parametrize("make", ODD[:-1])
def test_what_is_odd_makes_way_for_what_is_written(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / "x")
    descriptor = open_for_writing(tmp_path / "x")
    os.write(descriptor, b"new")
    os.close(descriptor)
    assert (tmp_path / "x").read_bytes() == b"new"
    assert not (tmp_path / "x").is_symlink()
    assert not (tmp_path / "nothing").exists()
    if make is link:
        assert (tmp_path.parent / "secret").read_bytes() == DATA


def test_a_read_only_file_of_ours_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(DATA)
    (tmp_path / "x").chmod(0o444)
    os.close(open_for_writing(tmp_path / "x"))


def test_a_private_directory_replaces_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "x").symlink_to(tmp_path / "elsewhere")
    make_private_directory(tmp_path / "x")
    make_private_directory(tmp_path / "x")
    make_private_directory(tmp_path / "a" / "b")
    assert (tmp_path / "x").lstat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "x").is_symlink()


def test_removing_a_download_behind_a_link_removes_the_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "data").write_bytes(DATA)
    (tmp_path / "x").symlink_to(tmp_path / "elsewhere")
    remove_partial(tmp_path / "x")
    assert (tmp_path / "elsewhere" / "data").read_bytes() == DATA
    assert not (tmp_path / "x").is_symlink()


@pytest.mark.parametrize("make", ODD)
async def test_a_store_has_no_blob_where_something_odd_lies(
    make: Callable[[Path], None], store: BlobStore
) -> None:
    path = store.layout.blob(DIGEST)
    path.parent.mkdir(parents=True)
    make(path)
    assert await store.get(DIGEST) is None
    assert await store.size(DIGEST) is None
    assert await store.read(DIGEST, 100) is None
    assert not await store.is_public(DIGEST)


@pytest.mark.parametrize("make", ODD[:-1])
async def test_a_blob_takes_the_place_of_something_odd(
    make: Callable[[Path], None], store: BlobStore
) -> None:
    path = store.layout.blob(DIGEST)
    path.parent.mkdir(parents=True)
    make(path)
    await store.put(DIGEST, DATA)
    assert await store.read(DIGEST, 100) == DATA
    assert not path.is_symlink()


@pytest.mark.parametrize("make", ODD[:-1])
async def test_a_download_does_not_write_through_something_odd(
    make: Callable[[Path], None], store: BlobStore
) -> None:
    directory = store.layout.partial(DIGEST)
    directory.mkdir(parents=True)
    make(directory / "data")
    partial = await store.begin(DIGEST)
    partial.size = len(DATA)
    await partial.write(0, DATA)
    await partial.commit()
    assert await store.read(DIGEST, 100) == DATA
    assert not store.layout.blob(DIGEST).is_symlink()


async def test_a_blob_of_a_private_registry_is_not_public_until_it_is_published(
    store: BlobStore,
) -> None:
    await store.put(DIGEST, DATA, public=False)
    assert store.layout.blob(DIGEST).stat().st_mode & 0o777 == 0o400
    assert not await store.is_public(DIGEST)
    blob = await store.get(DIGEST)
    assert blob is not None
    assert not blob.public
    blob.close()
    await store.publish(DIGEST)
    assert await store.is_public(DIGEST)
    await store.put(DIGEST, DATA, public=False)
    assert await store.is_public(DIGEST)


async def test_keeping_it_for_a_public_registry_publishes_it(store: BlobStore) -> None:
    await store.put(DIGEST, DATA, public=False)
    await store.put(DIGEST, DATA)
    assert await store.is_public(DIGEST)


@pytest.mark.parametrize("public", [True, False])
async def test_a_download_becomes_what_it_was_begun_as(public: bool, store: BlobStore) -> None:
    assert not await store.has_begun(DIGEST)
    partial = await store.begin(DIGEST, public=public)
    assert await store.has_begun(DIGEST)
    partial.size = len(DATA)
    await partial.write(0, DATA)
    await partial.commit()
    assert await store.is_public(DIGEST) is public


async def test_a_download_may_be_published_while_it_runs(store: BlobStore) -> None:
    partial = await store.begin(DIGEST, public=False)
    partial.public = True
    partial.size = len(DATA)
    await partial.write(0, DATA)
    await partial.commit()
    assert await store.is_public(DIGEST)
