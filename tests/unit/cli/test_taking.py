"""Which images can be taken, told all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from entrepot.archive.writing import Outgoing
from entrepot.cli.asking import answering
from entrepot.cli.taking import Problem, Taking
from entrepot.config import load_settings
from fakes.images import image, index
from unit.cli.stopped import NAME, ONE, Stopped

PARTS = [image("t", platform=each) for each in ("linux/amd64", "linux/arm64/v8")]
BOTH = index(PARTS)


async def chosen(
    stopped: Stopped, names: Sequence[str], platforms: Sequence[str] = ()
) -> tuple[list[Outgoing], list[Problem]]:
    def choose() -> tuple[list[Outgoing], list[Problem]]:
        with answering(load_settings(stopped.file)) as client:
            return Taking(client, platforms).choose(names)

    return await asyncio.to_thread(choose)


async def test_each_image_once_and_the_platforms_in_the_order_asked_for(stopped: Stopped) -> None:
    async with stopped.opened() as cache:
        await cache.put_image("3", image=BOTH)
    names = [f"{NAME}:3", f"{NAME}:3"]
    [one], problems = await chosen(stopped, names, ("linux/arm64", "linux/amd64"))
    assert problems == []
    assert one.root.digest == BOTH.digest
    assert [each.digest for each in one.manifests] == [PARTS[1].digest, PARTS[0].digest]


async def test_an_image_of_one_platform_is_its_own_root(stopped: Stopped) -> None:
    [one], _ = await chosen(stopped, [f"{NAME}:1"], ("linux/amd64",))
    assert (one.root.digest, one.manifests) == (ONE.digest, (one.root,))
    _, [problem] = await chosen(stopped, [f"{NAME}:1"], ("linux/arm64",))
    assert problem.reason == "it has no linux/arm64, but linux/amd64"


async def test_every_problem_is_told(stopped: Stopped) -> None:
    images, problems = await chosen(stopped, [f"{NAME}:8", "no tag", f"{NAME}:1", f"{NAME}:9"])
    assert len(images) == 1
    assert [each.name for each in problems] == [f"{NAME}:8", "no tag", f"{NAME}:9"]
    assert problems[0].document()["missing"] == []
