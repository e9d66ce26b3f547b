"""An archive on its way into a cache: what is asked, and what is not sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from entrepot.archive.reading import read_archive
from entrepot.cli.adminclient import AdminClient
from entrepot.cli.asking import answering
from entrepot.cli.bringing import Bringing, Brought
from entrepot.config import load_settings
from fakes.archives import Files, ctr_export, docker_save, tar
from fakes.images import image, index, sha256
from unit.cli.stopped import ONE, Stopped
from unit.store.keeping import REGISTRY

NEW = image("new", layers=(7000, 8000))
BOTH = index([NEW, image("new", platform="linux/arm64")])
NAME = f"{REGISTRY}/app:1"
T = TypeVar("T")


async def asked(stopped: Stopped, work: Callable[[AdminClient], T]) -> T:
    def answered() -> T:
        with answering(load_settings(stopped.file)) as client:
            return work(client)

    return await asyncio.to_thread(answered)


def brought(path: Path, files: Files) -> Callable[[AdminClient], tuple[int, int, list[Brought]]]:
    """What had to be sent, what was, and what became of the images."""

    def bring(client: AdminClient) -> tuple[int, int, list[Brought]]:
        (path / "file").write_bytes(tar(files))
        bringing, sent = Bringing(client, read_archive(path / "file")), [0]

        def count(size: int) -> None:
            sent[0] += size

        bringing.ask()
        wanted = bringing.wanted_bytes
        bringing.bring_blobs(count)
        return wanted, sent[0], list(bringing.name_images())

    return bring


async def test_all_that_is_not_there_is_sent_once(stopped: Stopped, tmp_path: Path) -> None:
    files = ctr_export(NAME, BOTH)
    wanted, sent, images = await asked(stopped, brought(tmp_path, files))
    [one] = images
    assert wanted == sent == sum(len(data) for part in BOTH.images for data in part.blobs)
    assert (one.names, one.there, one.registry) == ([NAME], 0, REGISTRY)
    wanted, sent, images = await asked(stopped, brought(tmp_path, files))
    [one] = images
    assert (wanted, sent, one.there) == (0, 0, 5)
    assert one.document("f")["names"] == [NAME]


async def test_what_the_cache_shares_is_not_sent(stopped: Stopped, tmp_path: Path) -> None:
    files = ctr_export(NAME, ONE)
    wanted, sent, images = await asked(stopped, brought(tmp_path, files))
    [one] = images
    assert (wanted, sent, one.there) == (0, 0, 3)
    async with stopped.opened() as cache:
        assert (await cache.digests("tags")).issuperset({ONE.digest})


async def test_images_without_a_name_are_not_sent(stopped: Stopped, tmp_path: Path) -> None:
    files = docker_save([(NEW, ["elsewhere.example/a:1"])])
    wanted, sent, images = await asked(stopped, brought(tmp_path, files))
    [one] = images
    assert (wanted, sent, one.names) == (0, 0, [])
    assert one.problems[0].startswith("elsewhere.example/a:1: elsewhere.example is not served")
    async with stopped.opened() as cache:
        assert sha256(NEW.config) not in await cache.digests()


async def test_the_same_image_by_two_names_has_both(stopped: Stopped, tmp_path: Path) -> None:
    files = docker_save([(NEW, [NAME, f"{REGISTRY}/other:1", NAME])])
    _, _, images = await asked(stopped, brought(tmp_path, files))
    [one] = images
    assert one.names == [NAME, f"{REGISTRY}/other:1"]
