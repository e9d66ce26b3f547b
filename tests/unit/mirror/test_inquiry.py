"""Tags under pins and policies, with mirrors that say other things: through everything but HTTP."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from entrepot.errors import AllFailed, ManifestUnknown, Untrusted
from entrepot.oci.reference import Tag
from entrepot.trust.ledger import Verdict
from entrepot.trust.level import Level
from fakes.images import Image, image, index
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, REGISTRY, Mirroring, WallClock, mirroring
from unit.mirror.trusting import rules

TAG = Tag("3.1")
GOOD, BAD, THIRD = image("good"), image("bad"), image("third")


async def asked(layer: Mirroring, tag: Tag = TAG) -> tuple[str, bytes]:
    served = await layer.tags.get(PAUSE, tag, layer.deadline())
    return served.source, served.manifest.body


async def level(layer: Mirroring, tag: Tag = TAG) -> Level:
    record = await layer.catalog.tag(REGISTRY, PAUSE.repository, tag)
    assert record is not None
    return Level(record.level)


async def verdicts(layer: Mirroring) -> list[tuple[str, Verdict]]:
    return [(one.mirror, one.verdict) for one in await layer.manifests.ledger.records()]


def having(registry: FakeRegistry, one: Image, tag: str = "3.1") -> None:
    registry.put_image("pause", tag, one)


async def test_a_mirror_with_another_image_under_a_pinned_tag_is_passed_over(
    tmp_path: Path,
) -> None:
    async with (
        FakeRegistry() as liar,
        FakeRegistry() as honest,
        mirroring(tmp_path, liar.url, honest.url, rules=rules(v3_1=GOOD.digest)) as layer,
    ):
        having(liar, BAD)
        # written anew, so that nobody has it by its digest
        anew = json.dumps(json.loads(GOOD.manifest), separators=(",", ":")).encode()
        honest.put_manifest("pause", "3.1", anew, GOOD.media_type)
        assert await asked(layer) == ("miss", GOOD.manifest)
        assert await level(layer) is Level.PIN
        assert await verdicts(layer) == [
            ("mirror0", Verdict.REFUSED),
            ("mirror1", Verdict.REPAIRED),
        ]
        assert layer.manifests.ledger.demoted(REGISTRY) == {"mirror0"}
        told = layer.metrics.render().decode()
        assert 'mirror="mirror0",reason="pinned",registry="registry.example"} 1.0' in told


async def test_with_all_lying_the_error_names_every_digest_and_mirror(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as one,
        FakeRegistry() as two,
        mirroring(tmp_path, one.url, two.url, rules=rules(v3_1=GOOD.digest)) as layer,
    ):
        having(one, BAD)
        having(two, THIRD)
        for _ in range(2):  # not the second time either
            with pytest.raises(Untrusted) as caught:
                await asked(layer)
            told = str(caught.value)
            for part in (GOOD.digest, BAD.digest, THIRD.digest, "mirror0", "mirror1", "pins.yaml"):
                assert str(part) in told
        assert layer.tags.peek(PAUSE, TAG) is None


async def test_a_pinned_tag_of_what_is_here_asks_nobody_and_never_grows_old(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as registry:
        async with mirroring(tmp_path, registry.url) as layer:
            having(registry, GOOD, "other")
            await asked(layer, Tag("other"))
        registry.clear()
        pinned = rules(v3_1=GOOD.digest)
        async with mirroring(tmp_path, "http://127.0.0.1:1", rules=pinned) as layer:
            assert await asked(layer) == ("miss", GOOD.manifest)
            layer.clock.now += 10**9
            served = layer.tags.peek(PAUSE, TAG)
            assert served is not None
            assert served.source == "hit"
        assert registry.requests == []


async def test_a_pin_that_comes_after_the_poison_still_keeps_it_back(tmp_path: Path) -> None:
    async with FakeRegistry() as registry:
        having(registry, BAD)
        async with mirroring(tmp_path, registry.url) as layer:
            assert await asked(layer) == ("miss", BAD.manifest)
        for mirror in (registry.url, "http://127.0.0.1:1"):
            async with mirroring(tmp_path, mirror, rules=rules(v3_1=GOOD.digest)) as layer:
                with pytest.raises((Untrusted, AllFailed), match=str(GOOD.digest)):
                    await asked(layer)
                assert layer.tags.peek(PAUSE, TAG) is None
        having(registry, GOOD)
        async with mirroring(tmp_path, registry.url, rules=rules(v3_1=GOOD.digest)) as layer:
            assert await asked(layer) == ("miss", GOOD.manifest)


async def test_wrong_bytes_under_a_pinned_digest_are_written_down(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as liar,
        FakeRegistry() as honest,
        mirroring(tmp_path, liar.url, honest.url, rules=rules(v3_1=GOOD.digest)) as layer,
    ):
        liar.content.put_manifest("pause", None, BAD.manifest, BAD.media_type, GOOD.digest)
        having(honest, GOOD)
        assert await asked(layer) == ("miss", GOOD.manifest)
        [lie, _] = await layer.manifests.ledger.records()
        assert (lie.mirror, lie.reference, lie.verdict) == (
            "mirror0",
            GOOD.digest,
            Verdict.REFUSED,
        )


async def test_a_pinned_tag_that_no_mirror_has_is_a_404(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as registry,
        mirroring(tmp_path, registry.url, rules=rules(v3_1=GOOD.digest)) as layer,
    ):
        for _ in range(2):
            with pytest.raises(ManifestUnknown):
                await asked(layer)
        assert len(registry.requests) == 2  # by digest and by tag, then it is remembered


async def test_a_pin_that_only_warns_lets_the_rest_of_the_policy_tell(tmp_path: Path) -> None:
    warned = rules("pinned warn, first", v3_1=GOOD.digest)
    async with (
        FakeRegistry() as registry,
        mirroring(tmp_path, registry.url, rules=warned) as layer,
    ):
        having(registry, BAD)
        served = await layer.tags.get(PAUSE, TAG, layer.deadline())
        assert served.manifest.body == BAD.manifest
        assert "the pin only warns here" in served.warning
        assert await level(layer) is Level.FIRST


async def test_one_liar_among_three_is_outvoted(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as liar,
        FakeRegistry() as one,
        FakeRegistry() as two,
        mirroring(tmp_path, liar.url, one.url, two.url, rules=rules("agree 2")) as layer,
    ):
        having(liar, BAD)
        having(one, GOOD)
        having(two, GOOD)
        assert await asked(layer) == ("miss", GOOD.manifest)
        assert await level(layer) is Level.AGREEMENT
        assert ("mirror0", Verdict.REFUSED) in await verdicts(layer)


async def test_two_that_do_not_agree_are_not_enough(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as one,
        FakeRegistry() as two,
        mirroring(tmp_path, one.url, two.url, rules=rules("agree 2")) as layer,
    ):
        having(one, GOOD)
        having(two, BAD)
        with pytest.raises(Untrusted, match="not vouched for"):
            await asked(layer)


async def test_a_silent_one_does_not_keep_the_others_from_agreeing(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as silent,
        FakeRegistry() as one,
        FakeRegistry() as two,
        mirroring(
            tmp_path, silent.url, one.url, two.url, rules=rules("agree 2"), overtake_s=0.1
        ) as layer,
    ):
        silent.fault(Fault("silent", times=None))
        having(one, GOOD)
        having(two, GOOD)
        assert await asked(layer) == ("miss", GOOD.manifest)


async def test_no_mirror_moves_a_version_that_was_accepted(tmp_path: Path) -> None:
    tag = Tag("v1.2.3")
    async with (
        FakeRegistry() as registry,
        mirroring(tmp_path, registry.url, rules=rules("first")) as layer,
    ):
        having(registry, GOOD, "v1.2.3")
        await asked(layer, tag)
        having(registry, BAD, "v1.2.3")
        layer.clock.now += 301
        served = await layer.tags.get(PAUSE, tag, layer.deadline())
        assert (served.source, served.manifest.body) == ("stale", GOOD.manifest)
        assert str(BAD.digest) in served.warning
        assert "moved" in served.warning
        asked_before = len(registry.requests)
        assert await asked(layer, tag) == ("stale", GOOD.manifest)
        assert len(registry.requests) == asked_before  # not asked again at once
        assert await verdicts(layer) == [
            ("mirror0", Verdict.ACCEPTED),
            ("mirror0", Verdict.REFUSED),
        ]
        assert 'reason="moved"' in layer.metrics.render().decode()


async def test_what_the_owner_said_no_mirror_moves(tmp_path: Path) -> None:
    async with FakeRegistry() as owner, FakeRegistry() as other:
        mirrors = ({"url": owner.url, "authority": True}, other.url)
        async with mirroring(tmp_path, *mirrors) as layer:
            having(owner, GOOD, "latest")
            having(other, BAD, "latest")
            assert await asked(layer, Tag("latest")) == ("miss", GOOD.manifest)
            assert await level(layer, Tag("latest")) is Level.AUTHORITY
            await owner.stop()
            layer.clock.now += 301
            assert await asked(layer, Tag("latest")) == ("stale", GOOD.manifest)
            await owner.start()
            having(owner, THIRD, "latest")
            layer.clock.now += 31
            layer.registry.mirrors[0].health.record_success(0.0)
            assert await asked(layer, Tag("latest")) == ("miss", THIRD.manifest)


async def test_an_owner_out_of_reach_leaves_it_to_the_first_with_a_warning(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as other:
        mirrors = (other.url, {"url": "http://127.0.0.1:1", "authority": True})
        async with mirroring(tmp_path, *mirrors) as layer:
            having(other, GOOD)
            served = await layer.tags.get(PAUSE, TAG, layer.deadline())
            assert (served.source, served.manifest.body) == ("miss", GOOD.manifest)
            assert "nobody vouches for it" in served.warning
            assert await level(layer) is Level.FIRST


async def test_an_owner_that_corrects_what_a_mirror_said_wins(tmp_path: Path) -> None:
    tag = Tag("v1.2.3")
    async with FakeRegistry() as owner, FakeRegistry() as other:
        having(other, BAD, "v1.2.3")
        having(owner, GOOD, "v1.2.3")
        async with mirroring(tmp_path, other.url) as layer:
            assert await asked(layer, tag) == ("miss", BAD.manifest)
        clock = WallClock(layer.clock.now + 301)
        mirrors = (other.url, {"url": owner.url, "authority": True})
        async with mirroring(tmp_path, *mirrors, clock=clock) as layer:
            assert await asked(layer, tag) == ("miss", GOOD.manifest)


async def test_without_its_owner_nothing_is_served_where_only_the_owner_counts(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as other:
        mirrors = (other.url, {"url": "http://127.0.0.1:1", "authority": True})
        having(other, GOOD)
        async with mirroring(tmp_path, *mirrors, rules=rules("authority")) as layer:
            with pytest.raises(AllFailed):
                await asked(layer)
        assert other.requests == []


async def test_a_silent_owner_costs_a_moment_and_not_the_deadline(tmp_path: Path) -> None:
    async with FakeRegistry() as owner, FakeRegistry() as other:
        owner.fault(Fault("silent", times=None))
        having(other, GOOD)
        mirrors = ({"url": owner.url, "authority": True}, other.url)
        async with mirroring(tmp_path, *mirrors, overtake_s=0.1) as layer:
            began = asyncio.get_running_loop().time()
            assert await asked(layer) == ("miss", GOOD.manifest)
            assert asyncio.get_running_loop().time() - began < 2.0


async def test_a_slow_owner_is_waited_for_where_only_its_word_counts(tmp_path: Path) -> None:
    async with FakeRegistry() as owner, FakeRegistry() as other:
        owner.fault(Fault("slow_headers", delay=0.5, times=None))
        having(owner, GOOD)
        having(other, BAD)
        mirrors = ({"url": owner.url, "authority": True}, other.url)
        async with mirroring(tmp_path, *mirrors, overtake_s=0.1, rules=rules("authority")) as layer:
            assert await asked(layer) == ("miss", GOOD.manifest)


async def test_frozen_tags_stay_even_for_their_owner(tmp_path: Path) -> None:
    frozen = rules("pinned, authority, first warn, frozen")
    async with FakeRegistry() as owner:
        mirror = {"url": owner.url, "authority": True}
        async with mirroring(tmp_path, mirror, rules=frozen) as layer:
            having(owner, GOOD)
            await asked(layer)
            having(owner, BAD)
            layer.clock.now += 301
            assert await asked(layer) == ("stale", GOOD.manifest)


async def test_one_architecture_of_what_is_held_is_no_move(tmp_path: Path) -> None:
    both = index([image("x"), image("x", platform="linux/arm64")])
    async with (
        FakeRegistry() as registry,
        mirroring(tmp_path, registry.url, rules=rules("first")) as layer,
    ):
        registry.put_image("pause", "3.1", both)
        await asked(layer)
        registry.put_image("pause", "3.1", both.images[0])
        layer.clock.now += 301
        assert await asked(layer) == ("revalidated", both.manifest)
