"""Order, overtaking, deadline and memory of failures, against mirrors that misbehave."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from entrepot.config import default_path, load_settings
from entrepot.errors import (
    AllFailed,
    AllThrottled,
    Attempt,
    ManifestUnknown,
    MirrorNotFound,
    MirrorThrottled,
    Offline,
)
from entrepot.metrics import Metrics
from entrepot.mirror import race
from entrepot.mirror.race import OWNERS, Race, Won, exhausted
from entrepot.mirror.registry import asking_order
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.upstream import gate
from entrepot.upstream.mirror import MirrorClient
from fakes.images import blob, image
from fakes.registry import FakeRegistry, Fault
from mirroring import PAUSE as IMAGE
from mirroring import Mirroring, mirroring, read_all

PAUSE = RepositoryName("pause")
TAG = Tag("3.1")
PICTURE = image("race")


async def run(
    layer: Mirroring, *, overtake_s: float = 0.1, within_s: float = 5.0
) -> tuple[Won[Manifest] | None, list[Attempt]]:
    now = asyncio.get_running_loop().time()

    async def ask(mirror: MirrorClient) -> Manifest:
        return await mirror.get_manifest(PAUSE, TAG)

    contest: Race[Manifest] = Race(
        order=asking_order(layer.registry.mirrors, PAUSE, now),
        repository=PAUSE,
        ask=ask,
        overtake_s=overtake_s,
        deadline=now + within_s,
        metrics=Metrics(),
    )
    return await contest.run(), contest.attempts


async def test_the_first_mirror_in_order_is_asked_alone_while_it_answers(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as one,
        FakeRegistry() as two,
        mirroring(tmp_path, one.url, two.url) as layer,
    ):
        for registry in (one, two):
            registry.put_image("pause", "3.1", PICTURE)
        won, attempts = await run(layer, overtake_s=5.0)
        assert won is not None
        assert (won.mirror.name, attempts, two.requests) == ("mirror0", [], [])


@pytest.mark.rule("E-3", "C-16", "F-9")
@pytest.mark.parametrize("asked", [True, False], ids=["asked late", "never asked"])
async def test_nothing_is_unknown_while_a_mirror_had_no_time_to_answer(
    tmp_path: Path, *, asked: bool
) -> None:
    async with (
        FakeRegistry() as one,
        FakeRegistry() as two,
        mirroring(tmp_path, one.url, two.url) as layer,
    ):
        one.fault(Fault("slow_headers", delay=0.3, times=None))
        two.fault(Fault("silent", times=None))
        if asked:
            won, attempts = await run(layer, overtake_s=5.0, within_s=0.6)
        else:
            won, attempts = await run(layer, overtake_s=5.0, within_s=0.1)
        assert won is None
        assert attempts[-1].mirror == "mirror1"
        assert bool(two.requests) == asked
        assert isinstance(exhausted("x", tuple(attempts), ManifestUnknown), AllFailed)


@pytest.mark.rule("E-3", "F-9")
async def test_nothing_is_unknown_while_a_mirror_may_still_take_its_time(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as one,
        FakeRegistry() as two,
        mirroring(tmp_path, {"url": one.url, "patience": "60s"}, two.url) as layer,
    ):
        one.fault(Fault("silent", times=None))
        won, attempts = await run(layer, within_s=0.5)
        assert won is None
        assert isinstance(exhausted("x", tuple(attempts), ManifestUnknown), AllFailed)


async def test_a_failure_makes_room_for_the_next_at_once(tmp_path: Path) -> None:
    async with FakeRegistry() as two, mirroring(tmp_path, "http://127.0.0.1:1", two.url) as layer:
        two.put_image("pause", "3.1", PICTURE)
        won, attempts = await run(layer, overtake_s=60.0)
        assert won is not None
        assert won.mirror.name == "mirror1"
        assert [attempt.outcome for attempt in attempts] == ["unreachable"]


async def test_silence_is_overtaken_and_held_against_the_silent(tmp_path: Path) -> None:
    async with (
        FakeRegistry(accept_silently=True) as silent,
        FakeRegistry() as two,
        mirroring(tmp_path, silent.url, two.url) as layer,
    ):
        two.put_image("pause", "3.1", PICTURE)
        won, attempts = await run(layer)
        assert won is not None
        assert won.mirror.name == "mirror1"
        assert [attempt.outcome for attempt in attempts] == ["silent"]
        silent.clear()
        won, attempts = await run(layer, overtake_s=60.0)
        assert won is not None
        assert (attempts, silent.requests) == ([], [])  # its breaker keeps it out of the way


async def test_a_slow_first_mirror_may_still_win_after_being_overtaken(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as slow,
        FakeRegistry() as without,
        mirroring(tmp_path, slow.url, without.url) as layer,
    ):
        slow.put_image("pause", "3.1", PICTURE)
        slow.fault(Fault("slow_headers", delay=0.2))
        won, attempts = await run(layer, overtake_s=0.05)
        assert won is not None
        assert won.mirror.name == "mirror0"
        assert [attempt.outcome for attempt in attempts] == ["not found"]


@pytest.mark.rule("T-1", "P1")
async def test_the_deadline_ends_it_whatever_the_mirrors_do(tmp_path: Path) -> None:
    async with (
        FakeRegistry(accept_silently=True) as one,
        FakeRegistry(accept_silently=True) as two,
        mirroring(tmp_path, one.url, two.url) as layer,
    ):
        won, attempts = await run(layer, overtake_s=0.05, within_s=0.2)
        assert won is None
        assert [attempt.outcome for attempt in attempts] == ["silent", "silent"]


async def test_a_mirror_set_aside_is_asked_when_nobody_else_can_answer(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as one,
        FakeRegistry() as two,
        mirroring(tmp_path, one.url, two.url) as layer,
    ):
        one.put_image("pause", "3.1", PICTURE)
        one.fault(Fault("refuse", times=None))
        won, _ = await run(layer)
        assert won is None  # refused, and the other does not have it
        one.clear_faults()
        won, attempts = await run(layer)
        assert won is not None
        assert won.mirror.name == "mirror0"
        assert [attempt.outcome for attempt in attempts] == ["not found"]


async def test_a_cancelled_race_leaves_nobody_asking(tmp_path: Path) -> None:
    async with (
        FakeRegistry(accept_silently=True) as silent,
        mirroring(tmp_path, silent.url) as layer,
    ):
        racing = asyncio.ensure_future(run(layer))  # noqa: TID251 - awaited below
        await silent.until_asked("/manifests/")
        racing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await racing
        await silent.until_idle()


def an_attempt(outcome: str, retry_after_s: float | None = None) -> Attempt:
    return Attempt("m", "pause", outcome, "told so", retry_after_s=retry_after_s)


@pytest.mark.rule("E-2", "E-3")
@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (("not found", "not found"), ManifestUnknown),
        (("not found", "unreachable"), AllFailed),
        (("denied", "not found"), AllFailed),
        (("throttled", "not found"), AllThrottled),
        ((), AllFailed),
    ],
)
def test_what_attempts_add_up_to(outcomes: tuple[str, ...], expected: type[Exception]) -> None:
    attempts = tuple(an_attempt(outcome) for outcome in outcomes)
    error = exhausted("pause:3.1", attempts, ManifestUnknown)
    assert type(error) is expected
    assert error.attempts == attempts


@pytest.mark.parametrize(
    ("attempts", "told"),
    [
        ([("registry.k8s.io", "unreachable")], True),
        ([("registry-1.docker.io", "silent"), ("mirror.gcr.io", "unreachable")], True),
        ([("registry.k8s.io", "unreachable"), ("mirror.lan", "unreachable")], False),
        ([("registry-1.docker.io", "not found"), ("mirror.gcr.io", "unreachable")], False),
        ([("registry.k8s.io", "denied")], False),
        ([("mirror.lan", "silent")], False),
    ],
    ids=str,
)
def test_a_closed_network_is_told_of_the_preset(
    attempts: list[tuple[str, str]], told: bool
) -> None:
    """Only while the built-in mirrors are all there is, and none can be reached."""
    made = tuple(Attempt(mirror, "pause", outcome, "why") for mirror, outcome in attempts)
    error = exhausted("pause:3.1", made, ManifestUnknown)
    assert ("`--preset china`" in str(error)) is told


def test_the_built_in_mirrors_are_those_of_the_built_in_settings() -> None:
    settings = load_settings(default_path())
    names = {one.name for registry in settings.registries.values() for one in registry.mirrors}
    assert names == OWNERS


def test_the_earliest_return_is_told() -> None:
    attempts = (
        an_attempt(MirrorThrottled.outcome, 40.0),
        an_attempt(MirrorThrottled.outcome, 7.0),
        an_attempt(MirrorNotFound.outcome),
    )
    error = exhausted("pause:3.1", attempts, ManifestUnknown)
    assert isinstance(error, AllThrottled)
    assert error.retry_after_s == 7.0


async def test_a_limit_of_our_own_is_waited_for_when_nobody_else_can_answer(
    tmp_path: Path,
) -> None:
    async with FakeRegistry() as registry:
        registry.put_image("pause", "3.1", PICTURE)
        limited = {"url": registry.url, "limits": {"bytes": "1MiB/4s"}}
        async with mirroring(tmp_path, limited) as layer:
            registry.put_blob("pause", blob(3 << 20, "a"))
            registry.put_blob("pause", blob(3 << 20, "b"))
            for seed in ("a", "b"):
                digest = Digest.of(blob(3 << 20, seed))
                reader = await layer.blobs.open(IMAGE, digest, layer.deadline(20.0))
                assert await read_all(reader) == blob(3 << 20, seed)


async def test_a_place_is_waited_for_as_long_as_the_deadline_lets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than a question waits at the gate by itself, and however often others come first."""
    monkeypatch.setattr(gate, "PATIENCE_S", 0.05)
    monkeypatch.setattr(race, "BUSY_S", 0.01)
    monkeypatch.setattr(gate, "BUSY_S", 0.01)
    large, small = blob(4 << 20, "large"), blob(1 << 20, "small")
    async with FakeRegistry() as registry:
        for one in (large, small):
            registry.put_blob("pause", one)
        registry.fault(Fault("stall", path=str(Digest.of(large)), after_bytes=1 << 20))
        alone = {"url": registry.url, "limits": {"concurrency": 1}}
        async with mirroring(tmp_path, alone, stall_s=1.0, give_up_s=5.0) as layer:
            first = await layer.blobs.open(IMAGE, Digest.of(large), layer.deadline())
            second = await layer.blobs.open(IMAGE, Digest.of(small), layer.deadline())
            assert await read_all(second) == small
            assert await read_all(first) == large


async def test_offline_nobody_is_asked(tmp_path: Path) -> None:
    async with FakeRegistry() as one, mirroring(tmp_path, one.url, one.url, offline=True) as layer:
        won, attempts = await run(layer)
        assert won is None
        assert [attempt.outcome for attempt in attempts] == ["offline", "offline"]
        assert one.requests == []
        attempts.append(Attempt("x", "y", "silent", "z"))
        error = exhausted("pause:3.1", tuple(attempts), ManifestUnknown)
        assert isinstance(error, Offline)
        assert str(error) == "pause:3.1: not here, and Entrepot is offline"


@pytest.mark.parametrize("overtaken", [True, False], ids=["overtaken", "alone"])
async def test_waiting_for_a_place_of_ours_is_not_the_mirrors_silence(
    tmp_path: Path, *, overtaken: bool
) -> None:
    """Somebody else may answer meanwhile; the one that was never asked is not set aside for it."""
    large = blob(4 << 20, "large")
    async with FakeRegistry() as busy, FakeRegistry() as two:
        for registry in (busy, two):
            registry.put_blob("pause", large)
            registry.put_image("pause", "3.1", PICTURE)
        busy.fault(Fault("stall", path="/blobs/", after_bytes=1 << 20))
        if not overtaken:
            two.fault(Fault("silent", times=None))
        alone = {"url": busy.url, "limits": {"concurrency": 1}}
        async with mirroring(tmp_path, alone, two.url) as layer:
            stream = await layer.registry.mirrors[0].open_blob(PAUSE, Digest.of(large))
            won, attempts = await run(layer, within_s=0.5)
            assert (won is not None) == overtaken
            assert [one.outcome for one in attempts if one.mirror == "mirror1"] == (
                [] if overtaken else ["silent"]
            )
            assert len(busy.requests) == 1
            health = layer.registry.mirrors[0].health
            assert (health.last_failure, health.state(layer.deadline(0.0))) == (None, "closed")
            await stream.aclose()
            won, _ = await run(layer)
            assert won is not None
            assert won.mirror.name == "mirror0"


async def test_silence_after_a_wait_for_a_place_is_the_mirrors(tmp_path: Path) -> None:
    data = blob(1 << 20, "data")
    async with (
        FakeRegistry() as busy,
        mirroring(tmp_path, {"url": busy.url, "limits": {"concurrency": 1}}) as layer,
    ):
        busy.put_blob("pause", data)
        stream = await layer.registry.mirrors[0].open_blob(PAUSE, Digest.of(data))
        busy.fault(Fault("silent", path="/manifests/", times=None))
        racing = asyncio.ensure_future(run(layer, within_s=0.5))  # noqa: TID251 - awaited below
        await asyncio.wait({racing}, timeout=0.2)
        await stream.aclose()
        won, attempts = await racing
        assert won is None
        assert [one.outcome for one in attempts] == ["silent"]
        assert attempts[0].elapsed_ms < 400
        assert layer.registry.mirrors[0].health.state(layer.deadline(0.0)) == "open"
