"""Tags are decided as the server decides them."""

from __future__ import annotations

from entrepot.survey.resolving import resolve
from entrepot.trust.level import Level
from entrepot.trust.policy import Policy
from entrepot.trust.verdicts import Accept, Reason, Refuse
from fakes.images import image
from fakes.registry import FakeRegistry
from unit.survey.surveyed import PAUSE, named, panel_of, pin_of

ONE, TWO = image("one"), image("two")
FIRST = Policy.parse("pinned, authority, first warn")


async def test_with_a_pin_nobody_is_asked() -> None:
    async with FakeRegistry() as registry, panel_of(named(registry, "m")) as panel:
        found = await resolve(panel, PAUSE, FIRST, pin_of(ONE))
        assert isinstance(found, Accept)
        assert (found.digest, found.level) == (ONE.digest, Level.PIN)
        assert registry.requests == []


async def test_the_owner_is_asked_before_the_others() -> None:
    async with FakeRegistry() as mirror, FakeRegistry() as owner:
        mirror.put_image("pause", "3.1", TWO)
        owner.put_image("pause", "3.1", ONE)
        mirrors = (named(mirror, "mirror"), named(owner, "owner", authority=True))
        async with panel_of(*mirrors) as panel:
            found = await resolve(panel, PAUSE, FIRST, None)
        assert isinstance(found, Accept)
        assert (found.digest, found.level) == (ONE.digest, Level.AUTHORITY)
        assert mirror.requests == []


async def test_agreement_is_asked_for_until_there_is_some() -> None:
    async with FakeRegistry() as a, FakeRegistry() as b, FakeRegistry() as c:
        for registry, pushed in ((a, TWO), (b, ONE), (c, ONE)):
            registry.put_image("pause", "3.1", pushed)
        async with panel_of(named(a, "a"), named(b, "b"), named(c, "c")) as panel:
            found = await resolve(panel, PAUSE, Policy.parse("agree 2"), None)
    assert isinstance(found, Accept)
    assert (found.digest, found.level, found.mirrors) == (ONE.digest, Level.AGREEMENT, ("b", "c"))


async def test_nobody_has_it() -> None:
    async with (
        FakeRegistry() as registry,
        panel_of(named(registry, "m"), named(registry, "n", only=["other"])) as panel,
    ):
        found = await resolve(panel, PAUSE, FIRST, None)
        assert isinstance(found, Refuse)
        assert found.reason is Reason.NOT_FOUND
        await registry.stop()
        gone = await resolve(panel, PAUSE, FIRST, None)
        assert isinstance(gone, Refuse)
        assert gone.reason is Reason.UNAVAILABLE
