"""Offline: what is served, what is refused and in which words, and that nobody is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import AllFailed, EntrepotError, Incomplete, Offline, TransferBroken
from entrepot.mirror.offline import refusal
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag
from entrepot.store.completeness import Missing, PlatformState
from fakes.images import Image, artifact, blob, image, index
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, Mirroring, mirroring, read_all

TAG = Tag("3.1")
AMD = image("one", platform="linux/amd64", layers=(1000, 2000))
ARM = image("one", platform="linux/arm64", layers=(1000, 2000))
BOTH = index([AMD, ARM])


async def pull(layer: Mirroring, *images: Image) -> None:
    """What a node does, for these platforms, while online."""
    await layer.tags.get(PAUSE, TAG, layer.deadline())
    for one in images:
        await layer.manifests.get(PAUSE, one.digest, layer.deadline())
        for data in one.blobs:
            reader = await layer.blobs.open(PAUSE, Digest.of(data), layer.deadline())
            assert await read_all(reader) == data
    await layer.fills.settled()


async def ask(layer: Mirroring, reference: Tag | Digest = TAG) -> bytes:
    served = await layer.offline.manifest(PAUSE, reference, layer.deadline())
    return served.manifest.body


async def refused(layer: Mirroring, reference: Tag | Digest = TAG) -> Offline:
    with pytest.raises(Offline) as caught:
        await ask(layer, reference)
    return caught.value


async def test_a_complete_image_is_served_and_nobody_is_asked(tmp_path: Path) -> None:
    async with FakeRegistry(token_auth=True) as registry, mirroring(tmp_path, registry.url) as one:
        registry.put_image("pause", "3.1", BOTH)
        await pull(one, AMD, ARM)
        await one.outbound.set_offline(True)
        registry.clear()
        one.clock.now += 1_000_000
        assert one.offline.shut
        assert await ask(one) == BOTH.manifest
        assert await ask(one, BOTH.digest) == BOTH.manifest
        for platform in (AMD, ARM):
            assert await ask(one, platform.digest) == platform.manifest
        for data in AMD.blobs:
            digest = Digest.of(data)
            assert await read_all(await one.blobs.open(PAUSE, digest, one.deadline())) == data
        assert registry.requests == []


async def test_an_old_tag_says_that_it_is_old_and_why(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", AMD)
        await pull(layer, AMD)
        await layer.outbound.set_offline(True)
        served = await layer.offline.manifest(PAUSE, TAG, layer.deadline())
        assert (served.source, served.warning) == ("hit", "")
        layer.clock.now += 1000
        served = await layer.offline.manifest(PAUSE, TAG, layer.deadline())
        assert served.source == "stale"
        assert "Entrepot is offline; as of 20" in served.warning


async def test_the_platform_that_is_complete_is_served_and_the_other_refused(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", BOTH)
        await pull(layer, AMD)
        await layer.manifests.get(PAUSE, ARM.digest, layer.deadline())
        await layer.outbound.set_offline(True)
        assert await ask(layer) == BOTH.manifest
        assert await ask(layer, AMD.digest) == AMD.manifest
        error = await refused(layer, ARM.digest)
        assert isinstance(error, Incomplete)
        text = str(error)
        assert text.startswith(
            f"registry.example/pause@{ARM.digest} is not complete here, and Entrepot is offline:"
            " linux/arm64 lacks 3 of 3 blobs (3."
        )
        assert str(Digest.of(ARM.layers[1])) in text
        assert text.endswith("complete: linux/amd64")
        assert (error.detail["asked"], error.detail["complete"]) == (
            ["linux/arm64"],
            ["linux/amd64"],
        )


async def test_a_platform_that_nobody_asked_for_lacks_its_manifest(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", BOTH)
        await pull(layer, AMD)
        await layer.outbound.set_offline(True)
        error = await refused(layer, ARM.digest)
        assert f"linux/arm64 lacks its manifest {ARM.digest}; complete: linux/amd64" in str(error)


async def test_a_tag_without_a_complete_platform_is_refused(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", BOTH)
        await pull(layer, AMD)
        await layer.store.delete(Digest.of(AMD.layers[0]))
        await layer.outbound.set_offline(True)
        for reference in (TAG, BOTH.digest):
            error = await refused(layer, reference)
            assert "linux/amd64 lacks 1 of 3 blobs (1.0 kB)" in str(error)
            assert f"linux/arm64 lacks its manifest {ARM.digest}" in str(error)
        layer.offline.serves_incomplete = True
        assert await ask(layer) == BOTH.manifest
        with pytest.raises(Offline, match="not here, and Entrepot is offline"):
            await layer.blobs.open(PAUSE, Digest.of(AMD.layers[0]), layer.deadline())


async def test_an_image_without_an_index_is_all_or_nothing(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", AMD)
        await pull(layer, AMD)
        await layer.outbound.set_offline(True)
        assert await ask(layer) == AMD.manifest
        await layer.store.delete(Digest.of(AMD.layers[0]))
        assert await ask(layer) == AMD.manifest, "a verdict counts for some seconds"
        await layer.outbound.set_offline(False)
        await layer.outbound.set_offline(True)
        error = await refused(layer)
        assert "offline: linux/amd64 lacks 1 of 3 blobs" in str(error)


async def test_what_was_never_here(tmp_path: Path) -> None:
    async with mirroring(tmp_path, "http://registry.example", offline=True) as layer:
        for reference in (TAG, AMD.digest):
            error = await refused(layer, reference)
            assert not isinstance(error, Incomplete)
            assert "not here, and Entrepot is offline" in str(error)
        for asking in (
            layer.blobs.open(PAUSE, AMD.digest, layer.deadline()),
            layer.blobs.stat(PAUSE, AMD.digest, layer.deadline()),
            layer.listings.tags(PAUSE, layer.deadline()),
        ):
            with pytest.raises(Offline, match="Entrepot is offline"):
                await asking
        assert await layer.store.partials() == []


async def test_tags_are_listed_as_far_as_they_are_held(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", AMD)
        registry.put_image("pause", "3.2", ARM)
        await pull(layer, AMD)
        await layer.outbound.set_offline(True)
        tags, told = await layer.listings.tags(PAUSE, layer.deadline())
        assert (tags, "only the tags held here" in told) == (("3.1",), True)


@pytest.mark.rule("N-3")
async def test_nothing_looks_unsigned_because_nobody_can_be_asked(tmp_path: Path) -> None:
    async with FakeRegistry(referrers=False) as registry, mirroring(tmp_path, registry.url) as one:
        registry.put_image("pause", "3.1", AMD)
        await one.outbound.set_offline(True)
        with pytest.raises(Offline):
            await one.listings.referrers(PAUSE, AMD.digest, one.deadline())
        await one.outbound.set_offline(False)
        signature = artifact(subject=AMD)
        body = index([signature], flavour="oci")
        registry.put_image("pause", f"sha256-{AMD.digest.hex}", body)
        assert await one.listings.referrers(PAUSE, AMD.digest, one.deadline()) == (
            body.manifest,
            "",
        )
        await one.outbound.set_offline(True)
        assert await one.listings.referrers(PAUSE, AMD.digest, one.deadline()) == (
            body.manifest,
            "",
        )


@pytest.mark.rule("N-3")
async def test_an_absence_that_is_remembered_is_no_empty_list_either(tmp_path: Path) -> None:
    async with FakeRegistry(referrers=False) as registry, mirroring(tmp_path, registry.url) as one:
        await one.listings.referrers(PAUSE, AMD.digest, one.deadline())
        await one.outbound.set_offline(True)
        with pytest.raises(Offline):
            await one.listings.referrers(PAUSE, AMD.digest, one.deadline())


async def test_going_offline_ends_what_is_under_way_and_keeps_what_came(tmp_path: Path) -> None:
    data = blob(2_000_000)
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        digest = registry.put_blob("pause", data)
        registry.put_image("pause", "3.1", AMD)
        registry.fault(Fault("stall", path="/blobs/", after_bytes=1_200_000))
        registry.fault(Fault("silent", path="/manifests/"))
        reader = await layer.blobs.open(PAUSE, digest, layer.deadline())
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(outcome(read_all(reader)))
            waiting = tasks.create_task(outcome(layer.tags.get(PAUSE, TAG, layer.deadline(60))))
            await registry.until_asked("/manifests/")
            await registry.until_sent(1_200_000, "/blobs/")
            await layer.outbound.set_offline(True)
            assert (len(layer.fills), len(layer.tags.flights)) == (0, 0)
            broken, told = await reading, await waiting
        assert isinstance(broken, TransferBroken)
        assert isinstance(told, Offline)
        assert "gone offline" in f"{broken}"
        (partial,) = await layer.store.partials()
        assert partial.written > 0
        (mirror,) = layer.registry.mirrors
        assert mirror.health.available(asyncio.get_running_loop().time())
        registry.clear()
        await layer.outbound.set_offline(False)
        assert await read_all(await layer.blobs.open(PAUSE, digest, layer.deadline())) == data
        (again,) = registry.asked("/blobs/")
        assert again.headers["Range"].startswith("bytes=")


async def test_a_tag_that_is_being_confirmed_is_answered_as_it_is_held(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", AMD)
        await pull(layer, AMD)
        layer.clock.now += 1000
        registry.clear()
        registry.fault(Fault("silent", path="/manifests/"))
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(layer.tags.get(PAUSE, TAG, layer.deadline(60)))
            await registry.until_asked("/manifests/")
            await layer.outbound.set_offline(True)
            assert (await asking).source == "stale"


async def test_mirrors_that_are_merely_down_change_nothing(tmp_path: Path) -> None:
    """Not switched offline: half an image is served, a mirror may be back any moment."""
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", BOTH)
        await pull(layer)
        await registry.stop()
        assert not layer.offline.shut
        assert (await layer.tags.get(PAUSE, TAG, layer.deadline())).manifest.body == BOTH.manifest
        with pytest.raises(AllFailed):
            await layer.blobs.open(PAUSE, Digest.of(AMD.config), layer.deadline())


async def test_a_catalog_that_cannot_be_read_is_no_reason_to_refuse(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", BOTH)
        await pull(layer)
        await layer.outbound.set_offline(True)
        await layer.catalog.aclose()
        assert await ask(layer) == BOTH.manifest


def state(name: str, *sizes: int, blobs: int = 5) -> PlatformState:
    missing = tuple(Missing(Digest.of(b"%d" % n), "layer", n) for n in sizes)
    return PlatformState(name, AMD.digest, missing, blobs, 10, 20)


def test_a_refusal_names_a_few_blobs_and_tells_programs_all() -> None:
    lacking = state("linux/amd64", 1, 2, 3, 4_000_000_000)
    error = refusal("r/pause:1", [lacking], [state("linux/arm64"), state("linux/arm64")], [""])
    assert str(error) == (
        "r/pause:1 is not complete here, and Entrepot is offline: linux/amd64 lacks 4 of 5 blobs"
        f" (4.0 GB): {Digest.of(b'1')}, {Digest.of(b'2')}, {Digest.of(b'3')}, and 1 more;"
        " complete: linux/arm64"
    )
    (told,) = platforms_in(error)
    assert len(told["missing"]) == 4
    assert told["missing"][0] == {
        "digest": str(Digest.of(b"1")),
        "mediaType": "layer",
        "size": 1,
    }


def test_a_refusal_names_a_few_platforms() -> None:
    error = refusal("r/pause:1", [state(f"linux/{n}", 7) for n in range(6)], [], [])
    assert str(error).count(" lacks ") == 4
    assert str(error).endswith("; and 2 more platforms")


def test_sizes_that_nobody_told_are_left_out() -> None:
    error = refusal("r/pause:1", [state("", -1)], [], [])
    assert "it lacks 1 of 5 blobs: sha256:" in str(error)
    (told,) = platforms_in(error)
    assert told["missing"][0]["size"] is None


def platforms_in(error: Incomplete) -> list[dict[str, Any]]:
    listed = error.detail["platforms"]
    assert isinstance(listed, list)
    return listed


async def outcome(work: Coroutine[Any, Any, object]) -> object:
    try:
        return await work
    except EntrepotError as error:
        return error
