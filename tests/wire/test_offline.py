"""The whole server offline: statuses, headers and bodies, the switch thrown while it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from fakes.images import Image, image, index
from fakes.registry import FakeRegistry
from unit.web.serving import NS, Serving, registry_settings, serving
from wire.client import Answer

AMD = image("one", platform="linux/amd64")
ARM = image("one", platform="linux/arm64")
BOTH = index([AMD, ARM])
TAG = f"/v2/pause/manifests/3.1{NS}"


def by_digest(digest: Digest) -> str:
    return f"/v2/pause/manifests/{digest}{NS}"


async def pull(served: Serving, *images: Image) -> None:
    """Fill the cache as a node of that platform does."""
    assert (await served.get(TAG)).status == 200
    for one in images:
        assert (await served.get(by_digest(one.digest))).status == 200
        for data in one.blobs:
            assert (await served.get(f"/v2/pause/blobs/{Digest.of(data)}{NS}")).status == 200
    await served.until_filled()


def told(answer: Answer) -> dict[str, object]:
    (error,) = json.loads(answer.body)["errors"]
    assert isinstance(error, dict)
    return error


@pytest.mark.rule("E-2", "E-4")
async def test_an_incomplete_image_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", BOTH)
        await pull(served, AMD)
        await served.server.services.offline.outbound.set_offline(True)
        mirror.clear()
        assert (await served.get(TAG)).body == BOTH.manifest
        refused = await served.get(by_digest(ARM.digest))
        error = told(refused)
        assert (refused.status, error["code"]) == (503, "UNAVAILABLE")
        assert f"linux/arm64 lacks its manifest {ARM.digest}" in str(error["message"])
        assert str(error["message"]).startswith("k8s.gcr.io/pause@sha256:")
        assert refused.header("Retry-After") is None
        detail = error["detail"]
        assert isinstance(detail, dict)
        assert detail["complete"] == ["linux/amd64"]
        assert mirror.requests == []


@pytest.mark.rule("N-5")
async def test_a_head_has_the_reason_in_its_warning(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", AMD)
        await pull(served)
        await served.server.services.offline.outbound.set_offline(True)
        refused = await served.ask("HEAD", TAG)
        assert (refused.status, refused.body) == (503, b"")
        assert "linux" not in (refused.header("Warning") or ""), "no config, no platform"
        assert "it lacks 2 of 2 blobs" in (refused.header("Warning") or "")


async def test_offline_from_the_start(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", "3.1", BOTH)
        async with serving(tmp_path, mirror) as served:
            await pull(served, ARM)
        mirror.clear()
        tags = {"ttl": 0, "negative_ttl": 30}
        async with serving(tmp_path, mirror, offline=True, tags=tags) as served:
            got = await served.get(TAG)
            assert (got.status, got.body) == (200, BOTH.manifest)
            assert "Entrepot is offline; as of" in (got.header("Warning") or "")
            assert (await served.get(by_digest(ARM.digest))).status == 200
            for data in ARM.blobs:
                got = await served.get(f"/v2/pause/blobs/{Digest.of(data)}{NS}")
                assert got.body == data
            assert (await served.get(f"/v2/pause/manifests/9.9{NS}")).status == 503
            assert (await served.get(f"/v2/pause/blobs/{Digest.of(AMD.config)}{NS}")).status == 503
            assert (await served.get(f"/v2/pause/referrers/{ARM.digest}{NS}")).status == 503
            listed = await served.get(f"/v2/pause/tags/list{NS}")
            assert json.loads(listed.body)["tags"] == ["3.1"]
        assert mirror.requests == []


async def test_incomplete_images_when_the_settings_allow_it(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror:
        mirror.put_image("pause", "3.1", BOTH)
        async with serving(tmp_path, mirror) as served:
            await pull(served)
        async with serving(
            tmp_path, mirror, offline=True, offline_serves_incomplete=True
        ) as served:
            assert (await served.get(TAG)).status == 200
            assert (await served.get(by_digest(AMD.digest))).status == 503
        async with serving(tmp_path, mirror, offline=True) as served:
            assert (await served.get(TAG)).status == 503


async def test_the_switch_while_it_runs_and_what_is_counted(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", AMD)
        outbound = served.server.services.offline.outbound
        assert (await served.metrics())["entrepot_offline"] == 0
        await outbound.set_offline(True)
        assert (await served.get(TAG)).status == 503
        counted = await served.metrics()
        assert counted["entrepot_offline"] == 1
        name = 'entrepot_offline_refusals_total{kind="manifest",registry="registry.k8s.io"}'
        assert counted[name] == 1
        await outbound.set_offline(False)
        await pull(served, AMD)


@pytest.mark.rule("E-2")
async def test_old_containerd_hears_404(tmp_path: Path) -> None:
    compatibility = {"not_found_instead_of_5xx": True}
    async with (
        FakeRegistry() as mirror,
        serving(tmp_path, mirror, offline=True, compatibility=compatibility) as served,
    ):
        refused = await served.get(TAG)
        assert refused.status == 404
        assert "Entrepot is offline" in str(told(refused)["message"])


@pytest.mark.rule("C-16")
async def test_what_is_known_to_be_a_manifest_is_no_blob(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", BOTH)
        await pull(served, AMD)
        await served.server.services.offline.outbound.set_offline(True)
        for digest in (BOTH.digest, ARM.digest):
            got = await served.ask("HEAD", f"/v2/pause/blobs/{digest}{NS}")
            assert got.status == 404


async def test_a_start_offline_needs_no_mirror_that_exists(tmp_path: Path) -> None:
    """A name that cannot be looked up, a proxy that is not there: nobody tries."""
    mirror = {"url": "https://registry.example", "proxy": "socks5h://proxy.example:1"}
    registries = {"docker.io": registry_settings(mirror)}
    async with serving(tmp_path, offline=True, registries=registries) as served:
        refused = await served.get("/v2/library/busybox/manifests/1?ns=docker.io")
        assert refused.status == 503
        assert told(refused)["message"] == (
            "docker.io/library/busybox:1: not here, and Entrepot is offline"
        )
