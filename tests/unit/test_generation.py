"""One version of the settings follows another while a server runs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from entrepot.config import ConfigError, Settings
from entrepot.mirror.manifests import Manifests
from entrepot.mirror.rules import Rules
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.trust.pinfile import PinEntry, write_pin_file
from entrepot.upstream.mirror import MirrorClient
from fakes.images import blob, image, sha256
from fakes.registry import FakeRegistry, Fault
from unit.web.serving import K8S, NS, Serving, serving, settings_for, until
from wire.client import client

DATA = blob(900_000, "generations")


def other(
    path: Path, *mirrors: FakeRegistry | str | Mapping[str, object], **more: object
) -> Settings:
    return settings_for(path, *mirrors, **more)


async def reload(served: Serving, settings: Settings) -> None:
    _ = await served.server.reload(lambda: settings)


async def test_names_mirrors_and_times_are_the_new_ones_at_once(tmp_path: Path) -> None:
    async with FakeRegistry() as one, FakeRegistry() as two, serving(tmp_path, one) as served:
        one.put_image("pause", "3.1", image(1))
        two.put_image("pause", "3.1", image(2))
        assert (await served.get(f"/v2/pause/manifests/3.1{NS}")).status == 200
        registries = {"new.test": {"mirrors": [two.url]}}
        await reload(served, other(tmp_path, registries=registries))
        assert (await served.get(f"/v2/pause/manifests/3.1{NS}")).status == 404
        got = await served.get("/v2/pause/manifests/3.1?ns=new.test")
        assert got.header("Docker-Content-Digest") == str(image(2).digest)
        await until(lambda: len(served.server.generations) == 1)


async def test_a_download_goes_on_from_the_mirror_that_is_out(tmp_path: Path) -> None:
    wanted = sha256(DATA)
    async with (
        FakeRegistry(bytes_per_second=500_000) as old,
        FakeRegistry() as new,
        serving(tmp_path, old) as served,
    ):
        for mirror in (old, new):
            mirror.put_blob("pause", DATA)
        async with client(served.address) as one:
            await one.send("GET", f"/v2/pause/blobs/{wanted}{NS}")
            assert (await one.hear_head()).status == 200
            await reload(served, other(tmp_path, new))
            assert len(served.server.generations) == 2
            # Who comes now joins it.
            assert (await served.get(f"/v2/pause/blobs/{wanted}{NS}")).body == DATA
            assert sha256(await one.hear_bytes(len(DATA))) == wanted
        await until(lambda: len(served.server.generations) == 1)
        assert new.requests == []
        assert old.bytes_sent() == len(DATA)


async def test_settings_that_cannot_be_used_change_nothing(tmp_path: Path) -> None:
    async with FakeRegistry() as one, serving(tmp_path, one) as served:
        one.put_image("pause", "3.1", image(1))
        mirror = {"url": "https://a.test", "ca": str(tmp_path / "none.pem")}
        before = served.server.services
        with pytest.raises(ConfigError, match="No such file"):
            await reload(served, other(tmp_path, mirror))
        assert served.server.services is before
        assert len(served.server.generations) == 1
        assert (await served.get(f"/v2/pause/manifests/3.1{NS}")).status == 200


async def test_the_switch_stays_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    async with FakeRegistry() as one, serving(tmp_path, one) as served:
        outbound = served.server.services.offline.outbound
        await outbound.set_offline(True)
        await reload(served, other(tmp_path, one, tags={"ttl": 1}))
        assert outbound.offline
        await outbound.set_offline(False)
        await reload(served, other(tmp_path, one, offline=True))
        assert outbound.offline
        assert served.server.services.offline.shut


async def test_going_offline_ends_what_both_generations_ask(tmp_path: Path) -> None:
    async with FakeRegistry() as one, FakeRegistry() as two, serving(tmp_path, one) as served:
        for mirror in (one, two):
            mirror.fault(Fault("silent", path="/manifests/", times=None))
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(served.get(f"/v2/pause/manifests/1{NS}"))
            await one.until_asked("/manifests/")
            await reload(served, other(tmp_path, two))
            second = tasks.create_task(served.get(f"/v2/pause/manifests/2{NS}"))
            await two.until_asked("/manifests/")
            await served.server.services.offline.outbound.set_offline(True)
            assert [(await each).status for each in (first, second)] == [503, 503]
        await until(lambda: len(served.server.generations) == 1)


def pinned(path: Path, digest: Digest, name: str) -> dict[str, object]:
    """A setting by which k8s.gcr.io/pause:3.1 is `digest`, in a file of its own."""
    entry = PinEntry(K8S, RepositoryName("pause"), Tag("3.1"), (digest,))
    file = path / name
    file.write_text(write_pin_file([entry], source="a test", date="2026-11-28"))
    return {"built_in_pins": False, "pins": [str(file)]}


def count(kind: type[object]) -> int:
    _ = gc.collect()
    return sum(type(one) is kind for one in gc.get_objects())


async def test_nothing_of_the_old_settings_is_kept(tmp_path: Path) -> None:
    async with FakeRegistry() as one, serving(tmp_path, one) as served:
        one.put_image("pause", "3.1", image(1))
        before = count(Manifests), count(Rules), count(MirrorClient)
        for seconds in (1, 2, 3):
            assert (await served.get(f"/v2/pause/manifests/3.1{NS}")).status == 200
            times = {"headers": 10.0, "overtake": 2.0, "stall": seconds}
            await reload(served, other(tmp_path, one, timeouts=times))
        await until(lambda: len(served.server.generations) == 1)
        assert (count(Manifests), count(Rules), count(MirrorClient)) == before


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_a_fresh_tag_is_held_against_pins_that_are_new(tmp_path: Path) -> None:
    async with FakeRegistry() as liar, serving(tmp_path, liar) as served:
        liar.put_image("pause", "3.1", image(1))
        target = f"/v2/pause/manifests/3.1{NS}"
        assert (await served.get(target)).status == 200
        trust = pinned(tmp_path, image(2).digest, "pins.yaml")
        await reload(served, other(tmp_path, liar, trust=trust))
        refused = await served.get(target)
        assert refused.status == 502
        assert str(image(2).digest) in refused.body.decode()


async def test_a_pin_that_has_changed_counts_from_the_reload_on(tmp_path: Path) -> None:
    first, second = (pinned(tmp_path, image(number).digest, f"{number}.yaml") for number in (1, 2))
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, trust=first) as served:
        for number in (2, 1):
            mirror.put_image("pause", "3.1", image(number))
        target = f"/v2/pause/manifests/3.1{NS}"
        got = await served.get(target)
        assert got.header("Docker-Content-Digest") == str(image(1).digest)
        await reload(served, other(tmp_path, mirror, trust=second))
        got = await served.get(target)
        assert got.header("Docker-Content-Digest") == str(image(2).digest)


async def test_an_answer_asked_for_by_the_old_policy_is_vetted_again(tmp_path: Path) -> None:
    async with FakeRegistry() as liar, serving(tmp_path, liar) as served:
        liar.put_image("pause", "3.1", image(1))
        liar.fault(Fault("slow_headers", path="/manifests/", delay=0.5))
        target = f"/v2/pause/manifests/3.1{NS}"
        async with asyncio.TaskGroup() as tasks:
            old = tasks.create_task(served.get(target))
            await liar.until_asked("/manifests/")
            trust = pinned(tmp_path, image(2).digest, "pins.yaml")
            await reload(served, other(tmp_path, liar, trust=trust))
        assert (await old).status == 200
        assert (await served.get(target)).status == 502


async def test_what_is_imported_despite_a_pin_is_not_given_by_the_pinned_tag(
    tmp_path: Path,
) -> None:
    trust = pinned(tmp_path, image(1).digest, "pins.yaml")
    brought, name = image(2), "k8s.gcr.io/pause:3.1"
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, trust=trust) as served:
        intake = served.server.intake
        assert (await intake.judge(name, brought.digest)).pinned == image(1).digest
        for data in brought.blobs:
            await intake.take_blob(sha256(data), len(data), K8S, pieces(data))
        place = intake.place(name)
        _ = await intake.take_manifest(
            brought.digest, brought.media_type, brought.manifest, place, named=True
        )
        assert (await served.get(f"/v2/pause/manifests/3.1{NS}")).status == 404
        assert (await served.get(f"/v2/pause/manifests/{brought.digest}{NS}")).status == 200
        await reload(served, other(tmp_path, mirror))
        assert (await intake.judge(name, brought.digest)).pinned is None
        got = await served.get(f"/v2/pause/manifests/3.1{NS}")
        assert got.header("Docker-Content-Digest") == str(brought.digest)


async def test_limits_and_keeps_are_the_new_ones(tmp_path: Path) -> None:
    async with FakeRegistry() as one, serving(tmp_path, one) as served:
        cache = {"path": str(tmp_path / "cache"), "max_size": "1GiB", "keep": ["k8s.gcr.io/a"]}
        await reload(
            served, other(tmp_path, one, cache=cache, clients={"connections": 7, "idle": 3})
        )
        assert (await served.metrics())["entrepot_cache_limit_bytes"] == 1 << 30
        assert served.server.library.rules == ("k8s.gcr.io/a",)
        assert served.server.crowd.most == 7


async def test_passwords_are_asked_for_from_now_on(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("alice:$2y$04$EpC4CRj4RhIVTt2GLU8pmejiI7mIwSsVjxH3gMKg6cBBuHbL5uDFq\n")
    async with FakeRegistry() as one, serving(tmp_path, one) as served:
        one.put_image("pause", "3.1", image(1))
        assert (await served.get(f"/v2/pause/manifests/3.1{NS}")).status == 200
        auth = {"htpasswd": str(users), "required": True}
        await reload(served, other(tmp_path, one, auth=auth))
        assert (await served.get(f"/v2/pause/manifests/3.1{NS}")).status == 401
        await reload(served, other(tmp_path, one))
        assert (await served.get(f"/v2/pause/manifests/3.1{NS}")).status == 200
