"""Pins, signatures and what is fetched ahead over a reload."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from entrepot.config import ConfigError
from entrepot.mirror.prefetchjob import Order
from entrepot.oci.digest import Digest
from fakes.cosign import Signer, sig_tag, signed
from fakes.images import image, index
from fakes.registry import FakeRegistry, Fault
from unit.test_generation import other, reload
from unit.web.serving import K8S, NS, registry_settings, serving, until

TARGET = f"/v2/pause/manifests/3.1{NS}"
GOOD, BAD = image("good"), image("bad")
NOBODY = "http://127.0.0.1:9"


def trust(file: Path, pin: Digest | str, policy: str = "pinned, first") -> Mapping[str, object]:
    """Settings with a pin of pause:3.1."""
    file.write_text(f"schema: 1\npins:\n  {K8S}/pause:3.1: {pin}\n")
    return {"built_in_pins": False, "pins": [str(file)], "policies": {K8S: policy}}


async def test_a_file_of_pins_with_other_pins_is_a_change(tmp_path: Path) -> None:
    pins = tmp_path / "pins.yaml"
    settings = other(tmp_path, NOBODY, trust=trust(pins, GOOD.digest))
    async with serving(tmp_path, NOBODY, trust=trust(pins, GOOD.digest)) as served:

        async def reloaded() -> tuple[str, ...]:
            before = served.server.services.manifests.rules.pin(K8S, "pause", "3.1")
            done = await served.server.reload(lambda: settings)
            after = served.server.services.manifests.rules.pin(K8S, "pause", "3.1")
            assert (before == after) is not bool(done.changed)
            return done.changed

        assert await reloaded() == ()
        trust(pins, BAD.digest)
        assert await reloaded() == ("trust.pins",)
        assert await reloaded() == ()


async def test_a_bad_file_of_pins_refuses_the_reload(tmp_path: Path) -> None:
    pins = tmp_path / "pins.yaml"
    async with (
        FakeRegistry() as mirror,
        serving(tmp_path, mirror, trust=trust(pins, GOOD.digest)) as served,
    ):
        mirror.put_image("pause", None, GOOD)
        before = served.server.services
        changed = other(tmp_path, mirror, trust=trust(pins, "nonsense"))
        with pytest.raises(ConfigError, match=r"pins\.yaml:3: not a pin"):
            await reload(served, changed)
        assert served.server.services is before
        assert (await served.get(TARGET)).body == GOOD.manifest


async def test_signatures_are_asked_for_from_now_on(tmp_path: Path) -> None:
    owner, key = Signer.make(), tmp_path / "cosign.pub"
    key.write_bytes(owner.pem)
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        for tag, one in (("1", GOOD), ("2", BAD)):
            mirror.put_image("app", tag, one)
        mirror.put_image("app", sig_tag(GOOD.digest), signed(owner, GOOD.digest, f"{K8S}/app"))

        async def statuses() -> list[int]:
            targets = [f"/v2/app/manifests/{tag}{NS}" for tag in ("1", "2")]
            return [(await served.get(target)).status for target in targets]

        assert await statuses() == [200, 200]
        verify = [{"cosign": str(key)}]
        registries = {K8S: registry_settings(mirror, aliases=["k8s.gcr.io"], verify=verify)}
        await reload(served, other(tmp_path, registries=registries))
        assert await statuses() == [200, 403]
        await reload(served, other(tmp_path, mirror))
        assert await statuses() == [200, 200]


async def test_what_is_fetched_ahead_is_asked_of_the_new_mirrors(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, NOBODY) as served:
        mirror.put_image("pause", "3.1", GOOD)
        schedule = served.server.schedule
        rule = {"at": ["01:30"], "images": [f"{K8S}/pause:3.1"]}
        await reload(served, other(tmp_path, mirror, prefetch=[rule]))
        assert schedule.keeping is not None
        job = served.server.prefetch.start(Order((f"{K8S}/pause:3.1",)))
        await until(lambda: job.ended)
        assert not job.failed
        kept = schedule.keeping
        await reload(served, other(tmp_path, mirror, prefetch=[rule], tags={"ttl": 7}))
        assert schedule.keeping is kept
        await reload(served, other(tmp_path, mirror))
        await until(kept.cancelled)


async def test_settings_are_in_use_while_something_is_asked_ahead(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", GOOD)
        mirror.fault(Fault("silent", path="/manifests/"))
        before = served.server.generations.current
        job = served.server.prefetch.start(Order((f"{K8S}/pause:3.1",)))
        await mirror.until_asked("/manifests/")
        assert len(before.use) == 1
        await reload(served, other(tmp_path, mirror, tags={"ttl": 7}))
        assert len(served.server.generations) == 2
        await served.server.prefetch.cancel(job.number)
        assert len(before.use) == 0


async def test_settings_are_in_use_while_somebody_looks_ahead_by_them(tmp_path: Path) -> None:
    now, later = image("now"), image("later")
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, look_ahead=True) as served:
        for tag, one in (("1", now), ("2", later)):
            mirror.put_image("pause", tag, index([one]))
        before = served.server.generations.current
        ahead = before.services.look_ahead
        assert ahead is not None
        for reference in ("1", now.digest):
            assert (await served.get(f"/v2/pause/manifests/{reference}{NS}")).status == 200
        await ahead.settled()
        mirror.fault(Fault("silent", path=f"/manifests/{later.digest}"))
        assert (await served.get(f"/v2/pause/manifests/2{NS}")).status == 200
        await mirror.until_asked(f"/manifests/{later.digest}")
        await until(lambda: len(before.use) == 1)
        await reload(served, other(tmp_path, mirror))
        assert len(served.server.generations) == 2
        await ahead.interrupt()
        assert len(before.use) == 0
