"""Tags: the same for every client, kept when mirrors are away, cheap to check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.oci.mediatype import SCHEMA1_SIGNED
from fakes.images import DOCKER_MANIFEST, OCI_INDEX, artifact, image, index
from fakes.registry import FakeRegistry, Fault
from fakes.schema1 import signed_manifest
from unit.web.serving import NS, registry_settings, serving

TARGET = f"/v2/pause/manifests/3.1{NS}"
BOTH = index([image(1), image(1, platform="linux/arm64/v8")])
OCI_BOTH = index([image(1), image(1, platform="linux/arm64/v8")], flavour="oci")
HASTE = {"headers": 2.0, "overtake": 0.3, "stall": 0.3, "connect": 1.0}
ALWAYS_ASK = {"ttl": 0, "negative_ttl": 0}


@pytest.mark.rule("U-1", "X-6", "F-4", "F-5")
@pytest.mark.parametrize("both", [BOTH, OCI_BOTH], ids=["docker list", "OCI index"])
async def test_a_client_with_a_narrow_accept_spoils_nothing_for_the_next(
    both: object, tmp_path: Path
) -> None:
    assert isinstance(both, type(BOTH))
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", both)
        narrow = await served.get(TARGET, ("Accept", DOCKER_MANIFEST))
        nothing = await served.get(TARGET)
        arm64 = await served.get(TARGET, ("Accept", f"{DOCKER_MANIFEST}, {OCI_INDEX}, */*"))
        for got in (narrow, nothing, arm64):
            assert (got.status, got.body) == (200, both.manifest)
            assert got.header("Content-Type") == both.media_type
        for one in mirror.asked("/manifests/"):
            (accept,) = one.headers.getall("Accept")
            assert both.media_type in accept
            assert "*/*" not in accept


@pytest.mark.rule("U-12", "N-5")
@pytest.mark.parametrize("trouble", ["down", "silent", "denied", "broken"])
async def test_a_tag_is_served_stale_while_nobody_can_be_asked(
    trouble: str, tmp_path: Path
) -> None:
    async with (
        FakeRegistry() as mirror,
        serving(tmp_path, mirror, tags=ALWAYS_ASK, timeouts=HASTE) as served,
    ):
        mirror.put_image("pause", "3.1", BOTH)
        fresh = await served.get(TARGET)
        assert (fresh.header("Warning"), fresh.status) == (None, 200)
        if trouble == "down":
            await mirror.stop()
        elif trouble == "silent":
            mirror.fault(Fault("silent", times=None))
        else:
            status = 403 if trouble == "denied" else 500
            mirror.fault(Fault("status", status=status, times=None))
        for method in ("HEAD", "GET"):
            stale = await served.ask(method, TARGET)
            assert stale.status == 200
            assert stale.header("Docker-Content-Digest") == str(BOTH.digest)
            assert stale.header("Entrepot-Source") == "stale"
            assert (stale.header("Warning") or "").startswith('299 entrepot "')
            assert len(stale.header("Warning") or "") < 4096
        counted = await served.metrics()
        assert counted['entrepot_stale_answers_total{registry="registry.k8s.io"}'] == 2


@pytest.mark.rule("U-12", "P28")
async def test_a_restart_without_any_mirror_still_serves(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror:
        layer = mirror.put_blob("pause", BOTH.images[0].layers[0])
        mirror.put_image("pause", "3.1", BOTH)
        async with serving(tmp_path, mirror) as served:
            await served.get(TARGET)
            await served.get(f"/v2/pause/blobs/{layer}{NS}")
            await served.until_filled()
        await mirror.stop()
        async with serving(tmp_path, mirror, tags=ALWAYS_ASK, timeouts=HASTE) as served:
            stale = await served.get(TARGET)
            assert (stale.status, stale.body) == (200, BOTH.manifest)
            by_digest = await served.get(f"/v2/pause/manifests/{BOTH.digest}{NS}")
            assert (by_digest.status, by_digest.header("Warning")) == (200, None)
            blob = await served.get(f"/v2/pause/blobs/{layer}{NS}")
            assert blob.body == BOTH.images[0].layers[0]


@pytest.mark.rule("U-9", "Q-2")
async def test_checking_an_unmoved_tag_costs_a_head_and_a_moved_one_a_get(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, tags=ALWAYS_ASK) as served:
        mirror.put_image("pause", "3.1", BOTH)
        await served.get(TARGET)
        mirror.clear()
        same = await served.get(TARGET)
        assert [one.method for one in mirror.requests] == ["HEAD"]
        assert same.header("Entrepot-Source") == "revalidated"
        moved = image("moved")
        mirror.put_image("pause", "3.1", moved)
        mirror.clear()
        assert (await served.ask("HEAD", TARGET)).header("Docker-Content-Digest") == str(
            moved.digest
        )
        asked = len(mirror.requests)
        by_digest = await served.get(f"/v2/pause/manifests/{moved.digest}{NS}")
        assert by_digest.body == moved.manifest
        assert len(mirror.requests) == asked


@pytest.mark.rule("F-3", "U-13", "F-2")
async def test_the_digest_of_signed_schema_1_is_not_its_bytes(tmp_path: Path) -> None:
    old = signed_manifest("pause", "3.1")
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", old)
        for method in ("HEAD", "GET", "GET"):
            got = await served.ask(method, TARGET)
            assert got.status == 200
            assert got.header("Content-Type") == SCHEMA1_SIGNED
            assert got.header("Docker-Content-Digest") == str(old.digest)
            assert got.body == (old.manifest if method == "GET" else b"")


@pytest.mark.rule("U-13", "C-13")
@pytest.mark.parametrize("digest_header", [True, False])
async def test_exact_bytes_and_type_whatever_the_mirror_says_of_the_digest(
    digest_header: bool, tmp_path: Path
) -> None:
    odd = BOTH.manifest + b"\n\n"
    async with (
        FakeRegistry(digest_header=digest_header) as mirror,
        serving(tmp_path, mirror) as served,
    ):
        digest = mirror.put_manifest("pause", "3.1", odd, BOTH.media_type)
        got = await served.get(TARGET)
        assert (got.status, got.body, got.length) == (200, odd, len(odd))
        assert got.header("Docker-Content-Digest") == str(digest)


@pytest.mark.rule("U-13")
async def test_a_page_of_html_is_no_manifest(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as captive,
        FakeRegistry() as mirror,
        serving(tmp_path, captive, mirror) as served,
    ):
        captive.fault(Fault("html", times=None))
        mirror.put_image("pause", "3.1", BOTH)
        for target in (TARGET, f"/v2/pause/manifests/{BOTH.digest}{NS}"):
            got = await served.get(target)
            assert (got.status, got.body) == (200, BOTH.manifest)


@pytest.mark.rule("U-11")
async def test_the_children_of_a_tag_are_asked_where_it_was_resolved(tmp_path: Path) -> None:
    ours, theirs = index([image("ours")]), index([image("theirs")])
    async with (
        FakeRegistry() as first,
        FakeRegistry() as second,
        serving(tmp_path, first, second) as served,
    ):
        first.fault(Fault("status", status=500, path="/manifests/3.1"))
        first.put_image("pause", "3.1", ours)
        second.put_image("pause", "3.1", theirs)
        assert (await served.get(TARGET)).body == theirs.manifest
        child = theirs.images[0]
        got = await served.get(f"/v2/pause/manifests/{child.digest}{NS}")
        layer = await served.get(f"/v2/pause/blobs/{second.put_blob('pause', child.config)}{NS}")
        assert (got.status, layer.status) == (200, 200)
        assert [one.path for one in first.requests] == ["/v2/pause/manifests/3.1"]


@pytest.mark.rule("F-9", "G-6", "E-3")
async def test_absence_is_remembered_only_when_everybody_confirmed_it(tmp_path: Path) -> None:
    async with (
        FakeRegistry() as first,
        FakeRegistry() as second,
        serving(tmp_path, first, second, tags={"negative_ttl": 300}) as served,
    ):
        for mirror in (first, second):
            mirror.put_image("pause", "other", image(1))
        second.fault(Fault("status", status=503))
        unsure = await served.get(TARGET)
        assert (unsure.status, json.loads(unsure.body)["errors"][0]["code"]) == (502, "UNAVAILABLE")
        for _ in range(3):
            absent = await served.get(TARGET)
            assert absent.status == 404
        assert len(first.asked("/manifests/3.1")) == 2
        second.put_image("pause", "3.1", BOTH)
        assert (await served.get(f"/v2/pause/manifests/{BOTH.digest}{NS}")).status == 200


@pytest.mark.rule("G-6", "F-2", "O-1")
async def test_artifacts_and_cosign_tags_pass_untouched(tmp_path: Path) -> None:
    signature = artifact(subject=BOTH, artifact_type="application/vnd.dev.cosign.simple.v1+json")
    tag = f"sha256-{BOTH.digest.hex}.sig"
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", tag, signature)
        got = await served.get(f"/v2/pause/manifests/{tag}{NS}")
        assert (got.status, got.body) == (200, signature.manifest)
        assert got.header("Content-Type") == signature.media_type


@pytest.mark.rule("U-8")
async def test_an_alias_shares_everything_but_the_name_in_the_answer(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", BOTH)
        for ns in ("k8s.gcr.io", "registry.k8s.io"):
            got = await served.get(f"/v2/pause/manifests/3.1?ns={ns}")
            assert (got.body, got.header("OCI-Namespace")) == (BOTH.manifest, ns)
        assert len(mirror.requests) == 1


@pytest.mark.rule("C-15")
async def test_a_manifest_of_four_mebibytes_is_served(tmp_path: Path) -> None:
    large = image(1, annotations={"note": "x" * (4 << 20)})
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("pause", "3.1", large)
        for _ in range(2):
            got = await served.get(TARGET)
            assert (got.status, got.body == large.manifest) == (200, True)


@pytest.mark.rule("U-12")
async def test_a_registrys_own_ttl_counts(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror:
        registries = {
            "registry.k8s.io": registry_settings(mirror, aliases=["k8s.gcr.io"], tag_ttl=0)
        }
        mirror.put_image("pause", "3.1", BOTH)
        async with serving(tmp_path, registries=registries) as served:
            await served.get(TARGET)
            await served.get(TARGET)
            assert [one.method for one in mirror.requests] == ["GET", "HEAD"]
