"""The cable is out: no route to anywhere, and a real containerd pulls what is complete here."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from fakes.images import Index, image, index, sha256
from fakes.registry import FakeRegistry
from laboratory import hosts_toml, two_platforms
from programs.containerd import Containerd
from programs.entrepot import Entrepot
from programs.netns import Cable

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

REGISTRY = "k8s.gcr.io"
AMD, ARM = "linux/amd64", "linux/arm64"
COMPLETE = two_platforms("complete")
HALF = two_platforms("half")
BROKEN = index([image("broken", rootfs={"etc/seed": (0o644, b"broken")})])
FILLED = {"complete": (COMPLETE, (AMD, ARM)), "half": (HALF, (AMD,)), "broken": (BROKEN, (AMD,))}
LONGEST_S = 20.0  # far more than it takes; the time itself is printed


def of_platform(one: Index, platform: str) -> str:
    (found,) = (each for each in one.images if each.platform == platform)
    return str(found.digest)


@dataclass(slots=True)
class Lab:
    """A cache that was filled over the cable, by a node that asked for some platforms only."""

    directory: Path
    cable: Cable
    mirror: FakeRegistry
    url: str

    def entrepot(self, **settings: object) -> Entrepot:
        """One over the same cache as every other, which asks about a tag each time it can."""
        config = {
            "registries": {"registry.k8s.io": {"aliases": [REGISTRY], "mirrors": [self.url]}},
            "tags": {"ttl": 0, "negative_ttl": 0},
            **settings,
        }
        return Entrepot(config, self.directory / "entrepot", inside=self.cable.inside)

    @asynccontextmanager
    async def node(self, name: str, entrepot: Entrepot) -> AsyncIterator[Containerd]:
        """An empty containerd that asks `entrepot` and nobody else."""
        async with Containerd(self.directory / name, inside=self.cable.inside) as node:
            node.hosts_toml(REGISTRY, hosts_toml(entrepot.url, only=True))
            yield node

    async def fill(self) -> None:
        """Pull over the cable, and take a layer away when Entrepot has ended."""
        async with self.entrepot() as entrepot, self.node("first", entrepot) as node:
            for name, (_, platforms) in FILLED.items():
                for platform in platforms:
                    await node.pull(f"{REGISTRY}/{name}:1", "--platform", platform)
        layer = sha256(BROKEN.images[0].layers[0]).hex
        (file,) = entrepot.cache.glob(f"blobs/*/*/{layer}")
        file.unlink()
        assert self.cable.connections, "the mirror was never asked: nothing was shown"
        self.mirror.clear()
        self.cable.connections = 0


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with AsyncExitStack() as stack:
        mirror = await stack.enter_async_context(FakeRegistry())
        cable = await stack.enter_async_context(Cable())
        for name, (pushed, _) in FILLED.items():
            mirror.put_image(name, "1", pushed)
        lab = Lab(tmp_path, cable, mirror, await cable.offer(mirror.port))
        await lab.fill()
        yield lab


async def pulled(node: Containerd, name: str, platform: str) -> float:
    """Pull it in its time; the seconds it took."""
    began = monotonic()
    digest = await node.pull(f"{REGISTRY}/{name}:1", "--platform", platform)
    seconds = monotonic() - began
    one, _ = FILLED[name]
    assert digest == str(one.digest)
    assert of_platform(one, platform) in await node.contents("k8s.io")
    assert seconds < LONGEST_S
    print(f"{name} for {platform}: {seconds:.2f} s")
    return seconds


async def refused(node: Containerd, name: str, platform: str = AMD) -> str:
    """What ctr says of a pull that must not succeed."""
    with pytest.raises(RuntimeError) as caught:
        await node.pull(f"{REGISTRY}/{name}:1", "--platform", platform)
    print(caught.value)
    return str(caught.value)


async def told(lab: Lab, entrepot: Entrepot, name: str, reference: str) -> tuple[int, str, str]:
    """Status, message and Warning of GET and HEAD of a manifest, as curl shows them."""
    url = f"{entrepot.url}/v2/{name}/manifests/{reference}?ns={REGISTRY}"
    body, _, status = (await lab.cable.curl("-w", "\n%{http_code}", url)).rpartition("\n")
    head = await lab.cable.curl("--head", url)
    warnings = [one for one in head.splitlines() if one.lower().startswith("warning:")]
    (error,) = json.loads(body)["errors"]
    return int(status), str(error["message"]), "".join(warnings)


@pytest.mark.rule("P28", "U-12", "E-2", "E-4", "N-5")
async def test_offline_complete_images_pull_and_others_are_refused_with_what_is_missing(
    lab: Lab,
) -> None:
    await lab.cable.cut()
    async with (
        lab.entrepot(offline=True) as entrepot,
        lab.node("second", entrepot) as node,
    ):
        for platform in (AMD, ARM):
            await pulled(node, "complete", platform)
        await pulled(node, "half", AMD)

        arm = of_platform(HALF, ARM)
        said = await refused(node, "half", ARM)
        status, message, warning = await told(lab, entrepot, "half", arm)
        missing = f"{ARM} lacks its manifest {arm}; complete: {AMD}"
        assert (status, missing in message, missing in warning) == (503, True, True)
        assert missing in said, "containerd does not pass the reason on"

        said = await refused(node, "broken")
        assert "503 Service Unavailable" in said
        status, message, warning = await told(lab, entrepot, "broken", "1")
        layer = str(sha256(BROKEN.images[0].layers[0]))
        assert status == 503
        assert f"{REGISTRY}/broken:1 is not complete here, and Entrepot is offline" in message
        for text in (message, warning, entrepot.log()):
            assert f"{AMD} lacks 1 of 2 blobs" in text
            assert layer in text
        assert not (await node.contents("k8s.io")) & {str(BROKEN.digest), layer}
        log = entrepot.log()
    assert "mirror.failed" not in log.partition("server.offline")[2], "somebody was asked"


@pytest.mark.parametrize("how", ["no route", "no answer"])
@pytest.mark.rule("P28", "U-12", "T-1")
async def test_without_the_switch_a_complete_image_pulls_as_well(lab: Lab, how: str) -> None:
    """Nobody has thrown it: mirrors are asked in vain, and the tag is answered as it was held."""
    await (lab.cable.cut() if how == "no route" else lab.cable.go_dead())
    async with lab.entrepot() as entrepot, lab.node("second", entrepot) as node:
        times = [await pulled(node, "complete", platform) for platform in (AMD, ARM)]
        print(f"{how}: {', '.join(f'{one:.2f} s' for one in times)}")
        assert "tag.stale" in entrepot.log()


async def test_offline_nothing_goes_over_a_cable_that_is_there(lab: Lab) -> None:
    """The proof that it is the switch: the mirror is a hop away, and is not asked."""
    async with (
        lab.entrepot(offline=True) as entrepot,
        lab.node("second", entrepot) as node,
    ):
        await pulled(node, "complete", ARM)
        await refused(node, "half", ARM)
        await refused(node, "broken")
    assert (lab.cable.connections, lab.mirror.requests) == (0, [])
    async with lab.entrepot() as entrepot, lab.node("third", entrepot) as node:
        await pulled(node, "half", ARM)
        await pulled(node, "broken", AMD)
    assert lab.mirror.requests
