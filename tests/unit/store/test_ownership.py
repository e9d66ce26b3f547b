"""A cache directory that somebody else can reach into is refused, with what to do about it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from entrepot.errors import StoreError
from entrepot.oci.digest import Digest
from entrepot.store.blobs import BlobStore
from entrepot.store.layout import Layout
from entrepot.store.ownership import Process, check_cache

ELSEWHERE = "elsewhere"
NOBODY = 65534


@pytest.fixture
async def cache(tmp_path: Path) -> Path:
    """A cache as a store leaves it."""
    store = BlobStore(tmp_path / "cache")
    await store.open()
    await store.put(Digest.of(b"{}"), b"{}")
    await store.aclose()
    (tmp_path / "cache" / "catalog.db").touch()
    return tmp_path / "cache"


def link(path: Path) -> None:
    target = path.parent / f"{path.name}.{ELSEWHERE}"
    if path.exists():
        path.rename(target)
    path.symlink_to(target)


def pipe(path: Path) -> None:
    _away(path)
    os.mkfifo(path)


def bound(path: Path) -> None:
    _away(path)
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's whole path is limited to 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


def swapped(path: Path) -> None:
    """A file for a directory, a directory for a file."""
    was_directory = path.is_dir()
    _away(path)
    path.write_bytes(b"") if was_directory else path.mkdir()


def _away(path: Path) -> None:
    if path.exists():
        path.rename(path.with_name(f"{path.name}.{ELSEWHERE}"))


NAMES = ["", "blobs", "blobs/sha256", "partial", "partial/new", "VERSION", "lock", "catalog.db"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spoil", [link, pipe, bound, swapped])
def test_what_is_odd_is_refused_and_named(
    name: str, spoil: Callable[[Path], None], cache: Path
) -> None:
    if (spoil, name) == (swapped, "blobs/sha256"):
        return  # a stray file there leads nowhere: making the directory fails
    spoil(cache / name)
    with pytest.raises(StoreError) as caught:
        check_cache(Layout(cache))
    assert str(caught.value).startswith(f"{cache / name} is a")


@pytest.mark.parametrize("name", ["catalog.db-wal", "catalog.db-shm", "catalog.db-journal"])
def test_a_link_beside_the_catalog_is_refused(name: str, cache: Path) -> None:
    link(cache / name)
    with pytest.raises(StoreError, match="symbolic link"):
        check_cache(Layout(cache))


def test_a_link_among_the_blobs_directories_is_refused(cache: Path) -> None:
    [spread] = (cache / "blobs" / "sha256").iterdir()
    link(spread)
    with pytest.raises(StoreError, match="symbolic link"):
        check_cache(Layout(cache))


async def test_a_store_does_not_open_on_a_link(cache: Path) -> None:
    (cache.parent / "link").symlink_to(cache)
    with pytest.raises(StoreError, match=r"cache\.path"):
        await BlobStore(cache.parent / "link").open()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_somebody_elses_is_refused_to_root_too(name: str, cache: Path) -> None:
    os.chown(cache / name, NOBODY, NOBODY)
    with pytest.raises(StoreError, match=rf"belongs to user {NOBODY}.*chown"):
        check_cache(Layout(cache))


def test_somebody_elses_is_refused(cache: Path) -> None:
    if os.geteuid() == 0:
        os.chown(cache, 1, 1)
    with pytest.raises(StoreError, match="run as its owner"):
        check_cache(Layout(cache), Process(uid=4711, groups=frozenset()))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has files of root's")
def test_what_root_made_for_us_is_taken(cache: Path) -> None:
    check_cache(Layout(cache), Process(uid=4711, groups=frozenset()))


@pytest.mark.parametrize("name", NAMES)
def test_what_everybody_may_write_to_is_refused(name: str, cache: Path) -> None:
    path = cache / name
    path.chmod(path.stat().st_mode | 0o002)
    with pytest.raises(StoreError, match="chmod o-w"):
        check_cache(Layout(cache))


def test_what_a_strange_group_may_write_to_is_refused(cache: Path) -> None:
    (cache / "blobs").chmod(0o775)
    with pytest.raises(StoreError, match="chmod g-w"):
        check_cache(Layout(cache), Process(uid=os.geteuid(), groups=frozenset()))


def test_a_volume_handed_to_our_group_is_taken_with_a_warning(cache: Path) -> None:
    """Kubernetes' fsGroup does this to every file of a volume, at every start."""
    (cache / "blobs").chmod(0o775)
    os.chown(cache / "blobs", -1, os.getegid())
    with structlog.testing.capture_logs() as told:
        check_cache(Layout(cache))
    assert [one["event"] for one in told] == ["cache.group_writable"]


def test_nothing_there_is_nothing_wrong(tmp_path: Path) -> None:
    check_cache(Layout(tmp_path / "missing"))


def test_one_that_is_in_order_is_taken_in_silence(cache: Path) -> None:
    with structlog.testing.capture_logs() as told:
        check_cache(Layout(cache))
    assert told == []
