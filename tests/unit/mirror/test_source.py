"""What a failure means for asking the same mirror again within one fill."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.errors import (
    AttemptError,
    MirrorDenied,
    MirrorFailed,
    MirrorLied,
    MirrorNotFound,
    MirrorUnreachable,
)
from entrepot.mirror.source import Source, Sources
from entrepot.mirror.wanted import Wanted
from entrepot.oci.digest import Digest
from mirroring import PAUSE, mirroring


@pytest.mark.parametrize(
    ("error", "asked_again"),
    [
        (MirrorNotFound("404"), False),
        (MirrorLied("html"), False),
        (MirrorDenied("403"), False),
        (MirrorUnreachable("reset"), True),
        (MirrorFailed("503", status=503), True),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_who_may_be_asked_again(
    tmp_path: Path, error: AttemptError, *, asked_again: bool
) -> None:
    async with mirroring(tmp_path, "http://127.0.0.1:1") as layer:
        source = Source(layer.registry.mirrors[0])
        source.failed(error, now=0.0)
        assert not source.usable(0.0)
        assert source.usable(60.0) is asked_again


async def test_rests_grow_until_something_is_delivered(tmp_path: Path) -> None:
    async with mirroring(tmp_path, "http://127.0.0.1:1") as layer:
        source = Source(layer.registry.mirrors[0])
        rests = []
        for _ in range(8):
            source.failed(MirrorUnreachable("reset"), now=0.0)
            rests.append(source.rests_until)
        assert rests == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
        source.measured(1000, 1.0)
        source.failed(MirrorUnreachable("reset"), now=0.0)
        assert source.rests_until == 0.25


async def test_a_mirror_without_ranges_takes_no_parts(tmp_path: Path) -> None:
    async with mirroring(tmp_path, "http://127.0.0.1:1") as layer:
        source = Source(layer.registry.mirrors[0])
        source.failed(MirrorFailed("ignores ranges, and 9 bytes are here already"), now=0.0)
        assert source.usable(0.0)
        assert not source.free(0.0)


async def test_its_speed_is_that_of_its_latest_transfers(tmp_path: Path) -> None:
    async with mirroring(tmp_path, "http://127.0.0.1:1") as layer:
        source = Source(layer.registry.mirrors[0])
        assert source.rate is None
        source.measured(1000, 1.0)
        source.measured(3000, 1.0)
        assert source.rate == 2000.0


async def test_a_mirror_for_manifests_gives_blobs_only_when_nobody_else_has_them(
    tmp_path: Path,
) -> None:
    owner = {"url": "http://127.0.0.1:1", "blobs": False}
    async with mirroring(tmp_path, owner, "http://127.0.0.1:2") as layer:
        wanted = Wanted(Digest.of(b""), layer.registry, PAUSE.repository)
        sources = Sources(wanted, layer.fills.set_aside)
        assert [one.name for one in sources.ready(0.0)] == ["mirror1"]
        assert [one.name for one in sources.order(0.0).usable] == ["mirror1", "mirror0"]
        sources["mirror1"].given_up = "has not got it"
        assert [one.name for one in sources.ready(0.0)] == ["mirror0"]
