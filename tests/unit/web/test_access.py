"""Private registries are for clients that say who they are; the rest is as it was."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import bcrypt
import pytest
import structlog

from fakes.images import blob, image
from fakes.registry import FakeRegistry, Fault
from unit.web.serving import K8S, Mirror, Serving, registry_settings, serving, settings_for
from wire.client import client

RIGHT = ("Authorization", "Basic " + base64.b64encode(b"alice:wonder").decode())
WRONG = ("Authorization", "Basic " + base64.b64encode(b"alice:alice").decode())
MINE = "?ns=mine.example"
PICTURE = image("private", layers=[1000])


def settings(path: Path, *private: Mirror, public: Mirror) -> Mapping[str, object]:
    users = path / "users"
    users.write_text(f"alice:{bcrypt.hashpw(b'wonder', bcrypt.gensalt(4)).decode()}\n")
    return {
        "auth": {"htpasswd": str(users)},
        "registries": {
            "mine.example": registry_settings(*private, private=True),
            K8S: registry_settings(public, aliases=("k8s.gcr.io",)),
        },
    }


def targets(digest: object) -> list[str]:
    return [
        "/v2/app/manifests/1",
        f"/v2/app/manifests/{PICTURE.digest}",
        f"/v2/app/blobs/{digest}",
        "/v2/app/tags/list",
        f"/v2/app/referrers/{PICTURE.digest}",
    ]


@pytest.mark.rule("P27")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_nothing_of_a_private_registry_without_a_password(
    method: str, tmp_path: Path
) -> None:
    async with FakeRegistry() as mine, FakeRegistry() as other:
        digest = mine.put_blob("app", blob(1000))
        mine.put_image("app", "1", PICTURE)
        async with serving(tmp_path, **settings(tmp_path, mine, public=other)) as served:
            for cached in (False, True):
                for target in targets(digest):
                    for headers in ((), (WRONG,)):
                        got = await served.ask(method, target + MINE, *headers)
                        assert got.status == 401, (target, cached)
                        assert got.header("WWW-Authenticate") == 'Basic realm="entrepot"'
                        prefixed = target.replace("/v2/", "/v2/mine.example/")
                        assert (await served.ask(method, prefixed, *headers)).status == 401
                    if cached:
                        assert (await served.ask(method, target + MINE, RIGHT)).status == 200
                if not cached:
                    assert mine.requests == []


@pytest.mark.rule("A-1", "S-8")
async def test_a_ping_asks_for_no_password_and_public_registries_do_not(tmp_path: Path) -> None:
    async with FakeRegistry() as mine, FakeRegistry() as other:
        other.put_image("pause", "3.1", PICTURE)
        async with serving(tmp_path, **settings(tmp_path, mine, public=other)) as served:
            assert (await served.get("/v2/")).status == 200
            docker = ("User-Agent", "docker/20.10.24+dfsg1 go/go1.19.8")
            assert (await served.get("/v2/", docker)).status == 200
            for headers in ((), (WRONG,), (("Authorization", "Bearer x"),)):
                got = await served.get("/v2/pause/manifests/3.1?ns=k8s.gcr.io", *headers)
                assert got.status == 200
        assert all("Authorization" not in one.headers for one in other.requests)


@pytest.mark.rule("A-2", "S-8")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_ping_tells_whether_a_password_is_right(method: str, tmp_path: Path) -> None:
    """What `docker login` and `podman login` go by."""
    async with (
        FakeRegistry() as mine,
        FakeRegistry() as other,
        serving(tmp_path, **settings(tmp_path, mine, public=other)) as served,
    ):
        for wrong in (WRONG, ("Authorization", "Bearer x"), ("Authorization", "Basic Og==")):
            got = await served.ask(method, "/v2/", wrong)
            assert got.status == 401
            assert got.header("WWW-Authenticate") == 'Basic realm="entrepot"'
        assert (await served.ask(method, "/v2/", RIGHT)).status == 200
        assert (await served.ask(method, "/v2/mine.example/v2/", RIGHT)).status == 200
        assert (await served.ask(method, "/v2/mine.example/v2/", WRONG)).status == 401


ASKED_BY_THE_PING = [
    "containers/5.23.1 (github.com/containers/image)",
    "skopeo/1.9.3",
    "Buildah/1.28.2",
    "cri-o/1.30.0",
    "crane/v0.21.10 go-containerregistry/v0.21.10",
]


@pytest.mark.rule("S-8")
@pytest.mark.parametrize("agent", ASKED_BY_THE_PING)
async def test_who_only_says_who_he_is_to_a_ping_that_asks_is_asked(
    agent: str, tmp_path: Path
) -> None:
    header = ("User-Agent", agent)
    async with FakeRegistry() as mine, FakeRegistry() as other:
        other.put_image("pause", "3.1", PICTURE)
        told = dict(settings(tmp_path, mine, public=other))
        async with serving(tmp_path, **told) as served:
            assert (await served.get("/v2/", header)).status == 401
            assert (await served.get("/v2/", header, RIGHT)).status == 200
            # And without a login what is public is public.
            nobody = ("Authorization", "Basic Og==")
            got = await served.get("/v2/k8s.gcr.io/pause/manifests/3.1", header, nobody)
            assert got.status == 200
        told["registries"] = {K8S: registry_settings(other)}
        async with serving(tmp_path, **told) as served:
            assert (await served.get("/v2/", header)).status == 200


async def test_nobody_with_no_password_is_no_guess(tmp_path: Path) -> None:
    """podman sends that without a login: pulls of others behind its address go on."""
    async with (
        FakeRegistry() as mine,
        FakeRegistry() as other,
        serving(tmp_path, **settings(tmp_path, mine, public=other)) as served,
    ):
        nobody = ("Authorization", "Basic Og==")
        for _ in range(12):
            got = await served.get(f"/v2/app/manifests/1{MINE}", nobody)
            assert got.status == 401


@pytest.mark.rule("A-2", "S-8")
async def test_everything_needs_a_password_when_that_is_asked_for(tmp_path: Path) -> None:
    async with FakeRegistry() as other:
        other.put_image("pause", "3.1", PICTURE)
        told = dict(settings(tmp_path, other, public=other))
        told["auth"] = {"htpasswd": str(tmp_path / "users"), "required": True}
        async with serving(tmp_path, **told) as served:
            everything = ["/v2/", "/", "/v2/pause/manifests/3.1?ns=k8s.gcr.io", "/v2/x/y?ns=z"]
            for target in everything:
                got = await served.get(target)
                assert (got.status, b"k8s" in got.body) == (401, False)
            assert [(await served.get(one, RIGHT)).status for one in everything] == [
                200,
                200,
                200,
                404,
            ]
            assert (await served.ask("PUT", "/v2/pause/manifests/3.1")).status == 401


async def in_public(
    served: Serving, method: str, kind: str, digest: object, name: str = "x"
) -> int:
    got = await served.ask(method, f"/v2/{name}/{kind}/{digest}?ns=k8s.gcr.io")
    if got.status != 200:
        assert PICTURE.manifest not in got.body
    return got.status


@pytest.mark.rule("P27")
async def test_a_private_digest_is_not_to_be_had_by_a_public_name(tmp_path: Path) -> None:
    """Not from memory, not from the disk, not after a restart, and not by HEAD."""
    data = blob(300_000)
    async with FakeRegistry() as mine, FakeRegistry() as other:
        digest = mine.put_blob("app", data)
        mine.put_image("app", "1", PICTURE)
        other.put_blob("x", b"something else")
        told = settings(tmp_path, mine, public=other)
        for _ in ("new", "restarted"):
            async with serving(tmp_path, **told) as served:
                assert (await served.get(f"/v2/app/manifests/1{MINE}", RIGHT)).status == 200
                assert (await served.get(f"/v2/app/blobs/{digest}{MINE}", RIGHT)).body == data
                await served.until_filled()
                for method in ("HEAD", "GET"):
                    assert await in_public(served, method, "manifests", PICTURE.digest) == 404
                    assert await in_public(served, method, "blobs", digest) == 404
                    assert await in_public(served, method, "blobs", PICTURE.digest) == 404
        await other.stop()
        async with serving(tmp_path, **told) as served:
            for method in ("HEAD", "GET"):
                assert await in_public(served, method, "manifests", PICTURE.digest) == 502
                assert await in_public(served, method, "blobs", digest) == 502
            assert (await served.get(f"/v2/app/blobs/{digest}{MINE}", RIGHT)).body == data


@pytest.mark.rule("P27")
async def test_what_a_public_mirror_has_as_well_is_served_from_the_cache(tmp_path: Path) -> None:
    data = blob(300_000)
    async with FakeRegistry() as mine, FakeRegistry() as other:
        digest = mine.put_blob("app", data)
        mine.put_image("app", "1", PICTURE)
        other.put_blob("x", data)
        other.put_image("x", "1", PICTURE)
        told = settings(tmp_path, mine, public=other)
        async with serving(tmp_path, **told) as served:
            assert (await served.get(f"/v2/app/manifests/1{MINE}", RIGHT)).status == 200
            assert (await served.get(f"/v2/app/blobs/{digest}{MINE}", RIGHT)).body == data
            await served.until_filled()
            assert await in_public(served, "GET", "blobs", digest) == 200
            assert await in_public(served, "GET", "manifests", PICTURE.digest) == 200
        asked = [(one.method, one.path.rpartition("/")[0]) for one in other.requests]
        assert asked == [("HEAD", "/v2/x/blobs"), ("GET", "/v2/x/manifests")]
        await other.stop()
        async with serving(tmp_path, **told) as served:
            for method in ("HEAD", "GET"):
                assert await in_public(served, method, "blobs", digest) == 200
                assert await in_public(served, method, "manifests", PICTURE.digest) == 200


@pytest.mark.rule("P27")
async def test_a_registry_becomes_private_with_a_reload(tmp_path: Path) -> None:
    """What is cached of it, too; as THREATS.md says, not what others may call it, at first."""
    before, since = blob(1000), blob(2000)
    async with FakeRegistry() as mine, FakeRegistry() as other:
        mine.put_image("app", "1", PICTURE)
        digests = [mine.put_blob("app", data) for data in (before, since)]
        now = settings(tmp_path, mine, public=other)
        registries = {"mine.example": registry_settings(mine), K8S: registry_settings(other)}
        async with serving(tmp_path, registries=registries) as served:
            cached = ["/v2/app/manifests/1", f"/v2/app/blobs/{digests[0]}"]
            for target in cached:
                assert (await served.get(target + MINE)).status == 200
            await served.until_filled()
            made_private = settings_for(tmp_path, **now)
            _ = await served.server.reload(lambda: made_private)
            for target in (*cached, f"/v2/app/blobs/{digests[1]}"):
                assert (await served.get(target + MINE)).status == 401
                assert (await served.get(target + MINE, RIGHT)).status == 200
            await served.until_filled()
            found = [await in_public(served, "GET", "blobs", digest) for digest in digests]
            assert found == [200, 404]
            for path in (tmp_path / "cache" / "blobs").glob("*/*/*"):
                path.chmod(0o400)
            _ = await served.server.reload(lambda: made_private)
            found = [await in_public(served, "HEAD", "blobs", digest) for digest in digests]
            found.append(await in_public(served, "GET", "manifests", PICTURE.digest))
            assert found == [404, 404, 404]


@pytest.mark.rule("P27")
async def test_a_public_client_does_not_join_a_private_download(tmp_path: Path) -> None:
    data = blob(3_000_000)
    async with FakeRegistry(bytes_per_second=2_000_000) as mine, FakeRegistry() as other:
        digest = mine.put_blob("app", data)
        told = {**settings(tmp_path, mine, public=other), "tags": {"negative_ttl": "0s"}}
        async with serving(tmp_path, **told) as served:
            async with client(served.address) as one:
                await one.send("GET", f"/v2/app/blobs/{digest}{MINE}", RIGHT)
                await mine.until_sent(100_000, "/blobs/")
                assert await in_public(served, "GET", "blobs", digest) == 404
                assert await in_public(served, "HEAD", "blobs", digest) == 404
                other.put_blob("x", data)
                assert await in_public(served, "GET", "blobs", digest) == 200
                assert (await one.hear()).body == data
            await served.until_filled()
        assert [one.method for one in other.asked("/blobs/")] == ["HEAD"] * 3
        await other.stop()
        async with serving(tmp_path, **told) as served:
            assert await in_public(served, "GET", "blobs", digest) == 200


@pytest.mark.rule("P27")
async def test_what_is_left_of_a_private_download_is_not_public_either(tmp_path: Path) -> None:
    data = blob(3_000_000)
    async with FakeRegistry() as mine, FakeRegistry() as other:
        digest = mine.put_blob("app", data)

        mine.fault(Fault("stall", path="/blobs/", after_bytes=2_900_000, times=None))
        told = settings(tmp_path, mine, public=other)
        quick = {"drain": "1s", "stall": "5s"}
        async with (
            serving(tmp_path, **told, timeouts=quick) as served,
            client(served.address) as one,
        ):
            await one.send("GET", f"/v2/app/blobs/{digest}{MINE}", RIGHT)
            await mine.until_sent(2_900_000, "/blobs/")
        async with serving(tmp_path, **told) as served:
            assert await served.server.services.blobs.store.has_begun(digest)
            assert await in_public(served, "GET", "blobs", digest) == 404


async def test_what_is_served_to_everybody_is_told_at_the_start(tmp_path: Path) -> None:
    login = {"username": "a", "password": "hunter2"}
    mirror = {"url": "http://127.0.0.1:9", "credentials": login}
    with structlog.testing.capture_logs() as told:
        async with serving(tmp_path, mirror):
            pass
    (warning,) = [one["reason"] for one in told if one["event"] == "settings.exposed"]
    assert "private: true" in warning
    assert "hunter2" not in str(told)
    registries = {"mine.example": registry_settings(mirror, private=True)}
    with structlog.testing.capture_logs() as told:
        async with serving(
            tmp_path, **{**settings(tmp_path, public=mirror), "registries": registries}
        ):
            pass
    (warning,) = [one["reason"] for one in told if one["event"] == "settings.exposed"]
    assert "can be read on the way" in warning
