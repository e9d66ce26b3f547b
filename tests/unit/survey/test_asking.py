"""Whatever a mirror does, it is put into one word."""

from __future__ import annotations

import pytest

from entrepot.errors import AttemptError, MirrorDiffers, MirrorFailed, MirrorNotFound
from entrepot.oci.digest import Digest
from entrepot.survey.asking import State, ask_tag, fetch_manifest, state_of
from fakes.images import image
from fakes.registry import FakeRegistry, Fault
from unit.survey.surveyed import PAUSE, named, panel_of

ONE = image("one")


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (None, State.ANSWERS),
        (Fault("html"), State.BLOCK_PAGE),
        (Fault("refuse", times=None), State.UNREACHABLE),
        (Fault("status", status=403), State.DENIED),
        (Fault("status", status=404), State.NO_TAG),
        (Fault("status", status=429), State.THROTTLED),
        (Fault("status", status=500), State.FAILED),
        (Fault("flip"), State.WRONG),
    ],
)
async def test_states(fault: Fault | None, state: State) -> None:
    async with FakeRegistry() as registry:
        registry.put_image("pause", "3.1", ONE)
        if fault is not None:
            registry.fault(fault)
        async with panel_of(named(registry, "m")) as panel:
            answered = await ask_tag(panel, panel.members[0], PAUSE)
    assert answered.state is state
    assert (answered.manifest is not None) == (state is State.ANSWERS)
    assert bool(answered.note) == (state is not State.ANSWERS)


async def test_a_silent_mirror_is_waited_for_as_long_as_clients_wait() -> None:
    async with FakeRegistry(accept_silently=True) as registry:
        timeouts = {"headers": "100ms"}
        async with panel_of(named(registry, "m"), timeouts=timeouts) as panel:
            answered = await ask_tag(panel, panel.members[0], PAUSE)
            assert answered.state is State.SILENT
            assert (await ask_tag(panel, panel.members[0], PAUSE)).state is State.NOT_ASKED
        assert len(registry.requests) == 1


async def test_what_is_not_carried_is_not_asked_for() -> None:
    async with (
        FakeRegistry() as registry,
        panel_of(named(registry, "m", only=["other"])) as panel,
    ):
        answered = await ask_tag(panel, panel.members[0], PAUSE)
        assert answered.state is State.NOT_CARRIED
        assert registry.requests == []


async def test_a_manifest_by_digest_or_none() -> None:
    async with FakeRegistry() as registry, panel_of(named(registry, "m")) as panel:
        registry.put_image("pause", None, ONE)
        [member] = panel.members
        found = await fetch_manifest(panel, member, PAUSE.repository, ONE.digest)
        assert found is not None
        assert found.body == ONE.manifest
        missing = Digest.of(b"none")
        assert await fetch_manifest(panel, member, PAUSE.repository, missing) is None
        await registry.stop()
        for _ in range(2):
            assert await fetch_manifest(panel, member, PAUSE.repository, ONE.digest) is None


@pytest.mark.parametrize("kind", AttemptError.__subclasses__())
def test_every_error_has_its_word(kind: type[AttemptError]) -> None:
    failing = {MirrorFailed, MirrorDiffers}
    assert (state_of(kind("x")) is State.FAILED) == (kind in failing)
    assert state_of(MirrorNotFound("x")) is State.NO_TAG
