"""What mirrors may say of tags, seen by a client: pins, votes, owners, and what never gets out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.oci.digest import Digest
from fakes.images import Image, blob, image, index
from fakes.registry import FakeRegistry, Fault
from unit.web.serving import K8S, NS, serving
from wire.client import Answer

TARGET = f"/v2/pause/manifests/3.1{NS}"
GOOD, BAD, THIRD = image("good"), image("bad"), image("third")
ALWAYS_ASK = {"ttl": 0, "negative_ttl": 0}
HASTE = {"headers": 3.0, "overtake": 0.2, "stall": 0.3, "connect": 1.0}
NOBODY = "http://127.0.0.1:1"


def trust(
    directory: Path, policy: str = "pinned, first", pin: Digest | None = None
) -> dict[str, object]:
    """Settings with a pin of pause:3.1 in a file of its own."""
    directory.mkdir(exist_ok=True)
    file = directory / "pins.yaml"
    lines = [f"  {K8S}/pause:3.1: {pin}"] if pin is not None else []
    file.write_text("\n".join(["schema: 1", "pins:" if lines else "pins: {}", *lines, ""]))
    return {"built_in_pins": False, "pins": [str(file)], "policies": {"k8s.gcr.io": policy}}


def told(answer: Answer) -> str:
    return str(json.loads(answer.body)["errors"][0]["message"])


async def test_a_pinned_tag_comes_from_the_mirror_that_has_it(tmp_path: Path) -> None:
    pinned = trust(tmp_path, pin=GOOD.digest)
    async with (
        FakeRegistry() as liar,
        FakeRegistry() as honest,
        serving(tmp_path, liar, honest, trust=pinned) as served,
    ):
        liar.put_image("pause", "3.1", BAD)
        honest.put_image("pause", "3.1", GOOD)
        for method in ("HEAD", "GET"):
            got = await served.ask(method, TARGET)
            assert got.status == 200
            assert got.header("Docker-Content-Digest") == str(GOOD.digest)
        counted = await served.metrics()
        labels = f'mirror="{liar.host}",reason="pinned",registry="{K8S}"'
        assert f"entrepot_trust_refusals_total{{{labels}}}" not in counted  # never asked by tag


async def test_with_all_mirrors_lying_a_502_names_everything_and_nothing_is_ever_served(
    tmp_path: Path,
) -> None:
    """Not after a restart either, nor when the pin comes later than the poison."""
    async with FakeRegistry() as one, FakeRegistry() as two:
        one.put_image("pause", "3.1", BAD)
        two.put_image("pause", "3.1", THIRD)
        async with serving(tmp_path, one, two, trust=trust(tmp_path / "none")) as served:
            assert (await served.get(TARGET)).body == BAD.manifest  # poisoned, no pin yet
        pinned = trust(tmp_path / "pins", pin=GOOD.digest)
        for mirrors in ((one, two), (one, two), (NOBODY,)):
            async with serving(tmp_path, *mirrors, trust=pinned) as served:
                for _ in range(2):
                    assert (await served.ask("HEAD", TARGET)).status == 502
                    got = await served.get(TARGET)
                    assert got.status == 502
                    assert str(GOOD.digest) in told(got)
                    if len(mirrors) == 2:
                        for part in (BAD.digest, THIRD.digest, one.host, two.host):
                            assert str(part) in told(got)
                        counted = await served.metrics()
                        labels = f'mirror="{one.host}",reason="pinned",registry="{K8S}"'
                        assert counted[f"entrepot_trust_refusals_total{{{labels}}}"] >= 1
        two.put_image("pause", "3.1", GOOD)
        async with serving(tmp_path, one, two, trust=pinned) as served:
            assert (await served.get(TARGET)).body == GOOD.manifest


async def test_a_pinned_tag_of_blobs_that_are_here_is_answered_with_every_mirror_down(
    tmp_path: Path,
) -> None:
    """The tag was never asked for: the pin alone says what it means."""
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", None, GOOD)
        layer = mirror.put_blob("pause", GOOD.layers[0])
        async with serving(tmp_path, mirror, trust=trust(tmp_path)) as served:
            await served.get(f"/v2/pause/manifests/{GOOD.digest}{NS}")
            await served.get(f"/v2/pause/blobs/{layer}{NS}")
            await served.until_filled()
    pinned = trust(tmp_path, pin=GOOD.digest)
    for offline in (False, True):
        async with serving(
            tmp_path, NOBODY, trust=pinned, offline=offline, offline_serves_incomplete=True
        ) as served:
            got = await served.get(TARGET)
            assert (got.status, got.body) == (200, GOOD.manifest)
            assert (await served.get(f"/v2/pause/blobs/{layer}{NS}")).body == GOOD.layers[0]


async def test_one_liar_among_three_does_not_get_a_tag(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as liar,
        FakeRegistry() as one,
        FakeRegistry() as two,
        serving(tmp_path, liar, one, two, trust=trust(tmp_path, "agree 2")) as served,
    ):
        liar.put_image("pause", "3.1", BAD)
        for honest in (one, two):
            honest.put_image("pause", "3.1", GOOD)
        assert (await served.get(TARGET)).body == GOOD.manifest
        await two.stop()
        liar.put_image("pause", "3.2", BAD)
        one.put_image("pause", "3.2", GOOD)
        refused = await served.get(TARGET.replace("3.1", "3.2"))
        assert refused.status == 502
        for part in (BAD.digest, GOOD.digest, liar.host, one.host):
            assert str(part) in told(refused)


async def test_two_names_of_one_host_are_one_voice(tmp_path: Path) -> None:
    """As several rules of one mirror's, or its copies of several registries, are."""
    async with FakeRegistry() as liar, FakeRegistry() as one, FakeRegistry() as two:
        both = [
            {"url": liar.url, "name": name, "repository": f"{name}/{{name}}"} for name in ("a", "b")
        ]
        for name in ("a", "b"):
            liar.put_image(f"{name}/pause", "3.1", BAD)
        one.put_image("pause", "3.1", GOOD)
        async with serving(tmp_path / "2", *both, one, trust=trust(tmp_path, "agree 2")) as served:
            refused = await served.get(TARGET)
            assert refused.status == 502, refused.body
        two.put_image("pause", "3.1", GOOD)
        policy = trust(tmp_path, "agree 2")
        async with serving(tmp_path / "3", *both, one, two, trust=policy) as served:
            assert (await served.get(TARGET)).body == GOOD.manifest


async def test_a_version_that_moves_is_refused_and_the_client_is_told(tmp_path: Path) -> None:
    target = TARGET.replace("3.1", "v1.30.5")
    async with (
        FakeRegistry() as mirror,
        serving(tmp_path, mirror, trust=trust(tmp_path, "first"), tags=ALWAYS_ASK) as served,
    ):
        mirror.put_image("pause", "v1.30.5", GOOD)
        assert (await served.get(target)).header("Warning") is None
        mirror.put_image("pause", "v1.30.5", BAD)
        got = await served.get(target)
        assert (got.status, got.body) == (200, GOOD.manifest)
        warning = got.header("Warning") or ""
        assert "said to have moved" in warning
        assert str(BAD.digest) in warning
    async with serving(tmp_path, NOBODY, trust=trust(tmp_path, "first"), tags=ALWAYS_ASK) as served:
        assert (await served.get(target)).body == GOOD.manifest


async def test_a_mirror_that_lied_is_asked_after_the_others_also_after_a_restart(
    tmp_path: Path,
) -> None:
    pinned = trust(tmp_path, pin=GOOD.digest)
    async with FakeRegistry() as liar, FakeRegistry() as honest:
        for mirror in (liar, honest):
            mirror.put_image("pause", "latest", THIRD)
        liar.put_image("pause", "3.1", BAD)
        async with serving(tmp_path, liar, honest, trust=pinned) as served:
            assert (await served.get(TARGET)).status == 502
        liar.clear()
        async with serving(tmp_path, liar, honest, trust=pinned) as served:
            assert (await served.get(TARGET.replace("3.1", "latest"))).body == THIRD.manifest
        assert liar.requests == []


async def test_other_repositories_of_the_cache_give_blobs_too(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        layer = mirror.put_blob("etcd", blob(5000))
        await served.get(f"/v2/etcd/blobs/{layer}{NS}")
        await served.until_filled()
        mirror.clear()
        assert (await served.get(f"/v2/pause/blobs/{layer}{NS}")).body == blob(5000)
        assert mirror.requests == []


async def test_manifests_from_the_owner_and_blobs_from_an_open_mirror(tmp_path: Path) -> None:
    """The owner is asked for tags although it comes last, and for no blob that others have."""
    both = index([image("x", layers=(9000,)), image("x", platform="linux/arm64")])
    async with FakeRegistry() as open_, FakeRegistry() as owner:
        owner.put_image("pause", "3.1", both)
        open_.put_image("google_containers/pause", "3.1", BAD)
        for data in both.images[0].blobs:
            open_.put_blob("google_containers/pause", data)
        mirrors = (
            {"url": open_.url, "repository": "google_containers/{name}"},
            {"url": owner.url, "authority": True, "blobs": False},
        )
        policy = trust(tmp_path, "authority")
        async with serving(tmp_path, *mirrors, trust=policy, timeouts=HASTE) as served:
            assert (await served.get(TARGET)).body == both.manifest
            child = await served.get(f"/v2/pause/manifests/{both.images[0].digest}{NS}")
            assert child.body == both.images[0].manifest
            for data in both.images[0].blobs:
                got = await served.get(f"/v2/pause/blobs/{Digest.of(data)}{NS}")
                assert got.body == data
        assert owner.asked("/blobs/") == []
        assert open_.asked("/manifests/3.1") == []


Word = Image | int | None
WORDS = st.sampled_from([GOOD, BAD, THIRD, 404, 503, None])
"""What a mirror says of a tag: an image, a status, or nothing at all."""


def say(mirror: FakeRegistry, word: Word) -> None:
    mirror.clear_faults()
    mirror.content.repository("pause").tags.clear()
    if isinstance(word, Image):
        mirror.put_image("pause", "3.1", word)
    elif word is not None:
        mirror.fault(Fault("status", status=word, times=None))
    else:
        mirror.fault(Fault("reset", times=None))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    before=st.tuples(WORDS, WORDS),
    rounds=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4),
    lock=st.booleans(),
)
async def test_no_sequence_of_answers_makes_a_pinned_or_locked_tag_mean_anything_else(
    tmp_path_factory: pytest.TempPathFactory,
    before: tuple[Word, Word],
    rounds: list[tuple[Word, Word]],
    *,
    lock: bool,
) -> None:
    """Poisoned or not before the pin came, and restarted half-way."""
    path = tmp_path_factory.mktemp("cache")
    pinned = trust(path, pin=GOOD.digest)
    if lock:
        pinned = {"built_in_pins": False, "lock": str(path / "pins.yaml")}
    async with FakeRegistry() as one, FakeRegistry() as two:
        plain: Mapping[str, object] = trust(path / "none", "first")
        async with serving(path, one, two, trust=plain, tags=ALWAYS_ASK) as served:
            say(one, before[0])
            say(two, before[1])
            await served.get(TARGET)
        half = len(rounds) // 2
        for part in (rounds[:half], rounds[half:]):
            async with serving(path, one, two, trust=pinned, tags=ALWAYS_ASK) as served:
                for words in part:
                    say(one, words[0])
                    say(two, words[1])
                    got = await served.get(TARGET)
                    assert got.status in {404, 502, 503} or got.body == GOOD.manifest, got
                    if got.status == 200:
                        assert got.header("Docker-Content-Digest") == str(GOOD.digest)
