"""Tag pages and referrers, and what stands in for them when mirrors cannot say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import AllFailed, NameUnknown
from entrepot.mirror.listings import EMPTY_INDEX, filtered_referrers, tag_page
from entrepot.oci.digest import Digest
from entrepot.oci.mediatype import OCI_INDEX
from entrepot.oci.reference import Tag
from fakes.images import artifact, image, index
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE, mirroring

TAGS = tuple(f"v{number}" for number in range(10))


@pytest.mark.rule("N-2", "M-3")
@given(
    tags=st.lists(st.sampled_from(TAGS)).map(tuple),
    count=st.none() | st.integers(1, 4),
)
def test_pages_follow_one_another_to_the_whole_sorted_list(
    tags: tuple[str, ...], count: int | None
) -> None:
    seen: list[str] = []
    last: str | None = None
    while True:
        page = tag_page(tags, count, last)
        seen += page.tags
        if not page.more:
            break
        assert len(page.tags) == count
        last = page.tags[-1]
    assert seen == sorted(set(tags))


@pytest.mark.rule("N-2")
def test_a_page_of_none_is_empty_and_the_last() -> None:
    page = tag_page(TAGS, 0, None)
    assert (page.tags, page.more) == ((), False)


@pytest.mark.rule("N-2")
def test_last_is_exclusive_and_need_not_exist() -> None:
    assert tag_page(TAGS, None, "v7").tags == ("v8", "v9")
    assert tag_page(TAGS, None, "v70").tags == ("v8", "v9")


async def test_tags_come_from_a_mirror_or_from_what_is_held(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        for tag in ("3.1", "3.2"):
            registry.put_image("pause", tag, image(tag))
        assert await layer.listings.tags(PAUSE, layer.deadline()) == (("3.1", "3.2"), "")
        await layer.tags.get(PAUSE, Tag("3.2"), layer.deadline())
        await registry.stop()
        tags, warning = await layer.listings.tags(PAUSE, layer.deadline())
        assert tags == ("3.2",)
        assert "held here" in warning


async def test_the_tags_of_an_unknown_repository_are_a_404(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        with pytest.raises(NameUnknown):
            await layer.listings.tags(PAUSE, layer.deadline())


@pytest.mark.rule("N-3", "C-19", "O-3")
@pytest.mark.parametrize("api", [True, False], ids=["api", "tag"])
async def test_referrers_by_the_api_or_by_the_tag_that_stands_for_it(
    tmp_path: Path, *, api: bool
) -> None:
    subject = image("signed")
    signature = artifact(subject=subject, artifact_type="application/vnd.example.signature")
    async with FakeRegistry(referrers=api) as registry, mirroring(tmp_path, registry.url) as layer:
        registry.put_image("pause", "3.1", subject)
        registry.put_image("pause", None, signature)
        if not api:
            tag = str(subject.digest).replace(":", "-")
            registry.put_image("pause", tag, index([signature], flavour="oci"))
        body, _ = await layer.listings.referrers(PAUSE, subject.digest, layer.deadline())
        digests = [entry["digest"] for entry in json.loads(body)["manifests"]]
        assert digests == [str(signature.digest)]


@pytest.mark.rule("N-2", "N-3", "N-9")
async def test_nothing_refers_to_a_digest_nobody_knows(tmp_path: Path) -> None:
    async with (
        FakeRegistry(referrers=False) as registry,
        mirroring(tmp_path, registry.url) as layer,
    ):
        digest = Digest.of(b"random")
        assert await layer.listings.referrers(PAUSE, digest, layer.deadline()) == (EMPTY_INDEX, "")


@pytest.mark.rule("N-2", "N-3")
@pytest.mark.parametrize(
    "body",
    [json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX}).encode(), image("taken").manifest],
    ids=["index of nothing", "image"],
)
async def test_a_tag_that_stands_for_referrers_but_lists_none_is_an_empty_list(
    tmp_path: Path, body: bytes
) -> None:
    subject = Digest.of(b"subject")
    async with (
        FakeRegistry(referrers=False) as registry,
        mirroring(tmp_path, registry.url) as layer,
    ):
        _ = registry.put_manifest("pause", str(subject).replace(":", "-"), body, OCI_INDEX)
        assert await layer.listings.referrers(PAUSE, subject, layer.deadline()) == (EMPTY_INDEX, "")


@pytest.mark.rule("N-3")
async def test_no_answer_is_not_an_empty_list(tmp_path: Path) -> None:
    async with FakeRegistry() as registry, mirroring(tmp_path, registry.url) as layer:
        registry.fault(Fault("status", status=503, times=None))
        with pytest.raises(AllFailed):
            await layer.listings.referrers(PAUSE, Digest.of(b"x"), layer.deadline())


@pytest.mark.rule("N-2")
def test_only_the_wanted_type_is_left() -> None:
    body = json.dumps(
        {"schemaVersion": 2, "manifests": [{"artifactType": "a"}, {"artifactType": "b"}, 7]}
    ).encode()
    assert json.loads(filtered_referrers(body, "b"))["manifests"] == [{"artifactType": "b"}]
    with pytest.raises(ValueError, match="index"):
        filtered_referrers(b"[]", "b")


@pytest.mark.rule("F-9", "N-3")
async def test_lists_that_no_mirror_has_are_not_asked_for_again_at_once(tmp_path: Path) -> None:
    async with FakeRegistry(referrers=False) as registry, mirroring(tmp_path, registry.url) as one:
        for _ in range(3):
            with pytest.raises(NameUnknown):
                await one.listings.tags(PAUSE, one.deadline())
            body, _ = await one.listings.referrers(PAUSE, Digest.of(b"x"), one.deadline())
            assert body == EMPTY_INDEX
        assert len(registry.asked("/tags/list")) == len(registry.asked("/referrers/")) == 1
        registry.put_image("pause", "3.1", image("later"))
        one.clock.now += 31
        assert await one.listings.tags(PAUSE, one.deadline()) == (("3.1",), "")
