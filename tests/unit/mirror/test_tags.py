"""Tags: fresh, revalidated, moved, stale, absent; and what a restart remembers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.errors import AllFailed, ManifestUnknown
from entrepot.oci.reference import Tag
from entrepot.store.record import TagRecord
from fakes.images import image, index
from fakes.registry import FakeRegistry, Fault
from fakes.schema1 import signed_manifest
from mirroring import PAUSE, REGISTRY, Mirroring, mirroring
from unit.mirror.trusting import rules

TAG = Tag("3.1")
OLD = image("old")
NEW = image("new")


async def source(layer: Mirroring, tag: Tag = TAG) -> str:
    return (await layer.tags.get(PAUSE, tag, layer.deadline())).source


async def test_a_fresh_tag_is_answered_from_memory_without_asking(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", OLD)
        assert layer.tags.peek(PAUSE, TAG) is None
        assert await source(layer) == "miss"
        registry.clear()
        served = layer.tags.peek(PAUSE, TAG)
        assert served is not None
        assert (served.source, served.manifest.body) == ("hit", OLD.manifest)
        assert registry.requests == []


@pytest.mark.rule("U-9", "U-12")
async def test_an_old_tag_is_revalidated_with_a_head_only(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", OLD)
        await source(layer)
        registry.clear()
        layer.clock.now += 301
        assert await source(layer) == "revalidated"
        assert [one.method for one in registry.requests] == ["HEAD"]
        assert layer.tags.peek(PAUSE, TAG) is not None  # fresh again


async def test_a_moved_tag_brings_the_new_manifest(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", OLD)
        await source(layer)
        registry.put_image("pause", "3.1", NEW)
        layer.clock.now += 301
        served = await layer.tags.get(PAUSE, TAG, layer.deadline())
        assert served.manifest.body == NEW.manifest


@pytest.mark.rule("P6", "Q-2")
async def test_the_digest_that_a_tag_names_is_on_the_disk_before_it_is_named(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", OLD)
        await source(layer)
        await registry.stop()
        layer.manifests.memory.drop(OLD.digest)
        served = await layer.manifests.get(PAUSE, OLD.digest, layer.deadline())
        assert served.manifest.body == OLD.manifest


@pytest.mark.rule("U-12", "P28")
async def test_with_all_mirrors_down_the_last_known_answer_is_served_and_says_so(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as registry:
        registry.put_image("pause", "3.1", OLD)
        async with mirroring(tmp_path, registry.url) as layer:
            await source(layer)
    async with mirroring(tmp_path, "http://127.0.0.1:1") as layer:  # a restart, no mirror
        layer.clock.now += 86_400 * 400
        served = await layer.tags.get(PAUSE, TAG, layer.deadline())
        assert (served.source, served.manifest.body) == ("stale", OLD.manifest)
        assert "2027-01-15" in served.warning
        assert await source(layer) == "stale"
        assert b"entrepot_stale_answers_total" in layer.metrics.render()


@pytest.mark.rule("P1", "T-1")
async def test_silent_mirrors_do_not_make_a_held_tag_wait_for_the_deadline(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as registry,
        mirroring(tmp_path, registry.url, overtake_s=0.05, headers_s=30.0) as layer,
    ):
        registry.put_image("pause", "3.1", OLD)
        await source(layer)
        registry.fault(Fault("silent", times=None))
        layer.clock.now += 301
        started = asyncio.get_running_loop().time()
        assert (await layer.tags.get(PAUSE, TAG, layer.deadline(30.0))).source == "stale"
        assert asyncio.get_running_loop().time() - started < 10.0  # far from the 30 s


async def test_a_tag_deleted_everywhere_goes_on_being_served(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", OLD)
        await source(layer)
        registry.fault(Fault("status", status=404, times=None))
        layer.clock.now += 301
        assert await source(layer) == "stale"


@pytest.mark.rule("F-9", "P15")
async def test_an_absence_confirmed_by_all_is_remembered_for_a_short_time(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as one,
        FakeRegistry() as two,
        mirroring(tmp_path, one.url, two.url) as layer,
    ):
        for _ in range(2):
            with pytest.raises(ManifestUnknown):
                await source(layer)
        assert (len(one.requests), len(two.requests)) == (1, 1)
        layer.clock.now += 31
        one.put_image("pause", "3.1", OLD)
        assert await source(layer) == "miss"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=401, times=None),
        Fault("status", status=403, times=None),
        Fault("status", status=503, times=None),
        Fault("refuse", times=None),
        Fault("html", times=None),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status}",
)
@pytest.mark.rule("F-9", "P15", "E-3")
async def test_anything_but_a_404_is_not_remembered_as_an_absence(
    tmp_path: Path, fault: Fault
) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", OLD)
        registry.fault(fault)
        with pytest.raises(AllFailed):
            await source(layer)
        registry.clear_faults()
        assert await source(layer) == "miss"


@pytest.mark.rule("U-11", "E-1")
async def test_digests_are_asked_where_the_tag_was_resolved(tmp_path: Path) -> None:
    both = index([image("x"), image("x", platform="linux/arm64")])
    async with (
        FakeRegistry() as without,
        FakeRegistry() as having,
        mirroring(tmp_path, without.url, having.url) as layer,
    ):
        having.put_image("pause", "3.1", both)
        await source(layer)
        without.clear()
        child = both.images[1].digest
        served = await layer.manifests.get(PAUSE, child, layer.deadline())
        assert (served.mirror, without.requests) == ("mirror1", [])


@pytest.mark.rule("U-1")
async def test_all_clients_ask_with_one_accept_set(tmp_path: Path) -> None:
    both = index([image("x"), image("x", platform="linux/arm64")])
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", both)
        await source(layer)
        [asked] = registry.requests
        accept = asked.headers["Accept"]
        assert "manifest.list.v2" in accept
        assert "image.index.v1" in accept


@pytest.mark.rule("F-3")
async def test_a_signed_schema1_manifest_is_passed_through(tmp_path: Path) -> None:
    old = signed_manifest("pause", "3.1")
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", old)
        for _ in range(2):
            served = await layer.tags.get(PAUSE, TAG, layer.deadline())
            assert served.manifest.digest == old.digest
            assert served.manifest.body == old.manifest
        assert len(registry.requests) == 2


async def test_many_askers_of_a_cold_tag_ask_a_mirror_once(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", OLD)
        await asyncio.gather(*(source(layer) for _ in range(20)))
        assert len(registry.requests) == 1


async def test_an_asker_that_leaves_takes_nothing_with_it(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", OLD)
        registry.fault(Fault("slow_headers", delay=0.1))
        first = asyncio.ensure_future(source(layer))  # noqa: TID251 - cancelled below
        await registry.until_asked("/manifests/")
        second = asyncio.ensure_future(source(layer))  # noqa: TID251 - awaited below
        await asyncio.sleep(0)
        first.cancel()
        assert await second == "miss"
        assert len(registry.requests) == 1


async def written_meanwhile(layer: Mirroring) -> TagRecord:
    """What an import does while somebody looks into the tag."""
    before = layer.catalog.peek_tag(REGISTRY, PAUSE.repository, TAG)
    assert before is not None
    after = replace(before, digest=NEW.digest, mirror="import", checked_at=layer.clock.now)
    await layer.catalog.put_tag(after)
    return after


async def test_a_record_that_is_held_against_new_rules_does_not_undo_a_newer_one(
    tmp_path: Path,
) -> None:
    busy = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000)"
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", OLD)
        await source(layer)
        layer.manifests.rules = rules("first warn")
        layer.manifests.memory.drop(OLD.digest)
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(layer.catalog.ask(f"{busy} SELECT max(i) FROM n"))
            looking = group.create_task(source(layer))  # its look into the catalog is behind that
            await asyncio.sleep(0)
            after = await written_meanwhile(layer)
            assert not looking.done()
        assert layer.catalog.peek_tag(REGISTRY, PAUSE.repository, TAG) == after


async def test_a_confirmation_does_not_undo_what_was_written_while_mirrors_were_asked(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", OLD)
        await source(layer)
        layer.clock.now += 301
        registry.clear()
        registry.fault(Fault("slow_headers", delay=0.2))
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(source(layer))
            await registry.until_asked("/manifests/3.1")
            after = await written_meanwhile(layer)
        assert looking.result() == "revalidated"
        assert layer.catalog.peek_tag(REGISTRY, PAUSE.repository, TAG) == after
