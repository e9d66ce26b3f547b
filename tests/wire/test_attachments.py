"""Signatures, attestations and bills of materials go through as they are (G-6, N-3)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes.cosign import Signer, bundled, sig_tag, signed
from fakes.images import Image, artifact, image, index
from fakes.registry import FakeRegistry
from unit.web.serving import K8S, NS, Serving, registry_settings, serving

SIGNER = Signer.make("ed25519")
APP = image("app", flavour="oci")
SIGNATURE = signed(SIGNER, APP.digest, "registry.k8s.io/app")
ATTESTATION = artifact(artifact_type="application/vnd.dsse.envelope.v1+json")
SBOM = artifact(artifact_type="text/spdx+json")
BUNDLED = bundled(SIGNER, APP)
ATTACHED = {".sig": SIGNATURE, ".att": ATTESTATION, ".sbom": SBOM}


async def same(served: Serving, reference: str, expected: Image) -> None:
    """HEAD, GET by tag, GET by digest and every blob: nothing differs from what was pushed."""
    target = f"/v2/app/manifests/{reference}{NS}"
    for method, asked in (("HEAD", reference), ("GET", reference), ("GET", str(expected.digest))):
        got = await served.ask(method, f"/v2/app/manifests/{asked}{NS}")
        assert (got.status, got.header("Content-Type")) == (200, expected.media_type), target
        assert got.header("Docker-Content-Digest") == str(expected.digest)
        assert got.body == (b"" if method == "HEAD" else expected.manifest)
    described = json.loads(expected.manifest)
    for entry, content in zip(
        (described["config"], *described["layers"]), expected.blobs, strict=True
    ):
        got = await served.get(f"/v2/app/blobs/{entry['digest']}{NS}")
        assert (got.status, got.body) == (200, content)


@pytest.mark.rule("G-6")
@pytest.mark.parametrize("ending", ATTACHED)
async def test_tags_of_cosign(ending: str, tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, serving(tmp_path, mirror) as served:
        tag = sig_tag(APP.digest, ending)
        mirror.put_image("app", tag, ATTACHED[ending])
        await same(served, tag, ATTACHED[ending])
        await served.until_filled()
        await mirror.stop()
        await same(served, tag, ATTACHED[ending])


@pytest.mark.rule("G-6")
async def test_an_image_that_is_not_signed_yet(tmp_path: Path) -> None:
    """A clean 404 with JSON, and not for long: signatures come after the image."""
    tags = {"negative_ttl": 0.0}
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, tags=tags) as served:
        mirror.put_image("app", "1.0", APP)
        target = f"/v2/app/manifests/{sig_tag(APP.digest)}{NS}"
        got = await served.get(target)
        assert (got.status, got.header("Content-Type")) == (404, "application/json")
        assert json.loads(got.body)["errors"][0]["code"] == "MANIFEST_UNKNOWN"
        mirror.put_image("app", sig_tag(APP.digest), SIGNATURE)
        assert (await served.get(target)).body == SIGNATURE.manifest


@pytest.mark.rule("G-6")
async def test_a_second_signature_moves_the_tag(tmp_path: Path) -> None:
    registries = {}
    async with FakeRegistry() as mirror:
        registries[K8S] = registry_settings(mirror, aliases=["k8s.gcr.io"], tag_ttl=0.0)
        async with serving(tmp_path, registries=registries) as served:
            for one in (SIGNATURE, signed(Signer.make("ed25519"), APP.digest)):
                mirror.put_image("app", sig_tag(APP.digest), one)
                await same(served, sig_tag(APP.digest), one)


@pytest.mark.rule("N-3", "C-19", "O-3")
@pytest.mark.parametrize("api", [True, False], ids=["api", "tag"])
async def test_bundles_among_the_referrers(tmp_path: Path, *, api: bool) -> None:
    """What the list says of a bundle stays: cosign chooses by type and annotations."""
    async with FakeRegistry(referrers=api) as mirror, serving(tmp_path, mirror) as served:
        mirror.put_image("app", "1.0", APP)
        mirror.put_image("app", None, BUNDLED)
        listed = index([BUNDLED], flavour="oci")
        if not api:
            mirror.put_image("app", sig_tag(APP.digest, ""), listed)
        got = await served.get(f"/v2/app/referrers/{APP.digest}{NS}")
        (entry,) = json.loads(got.body)["manifests"]
        assert entry["digest"] == str(BUNDLED.digest)
        assert entry["annotations"] == BUNDLED.annotations
        if api:
            assert entry["artifactType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
        else:
            assert got.body == listed.manifest
        await same(served, str(BUNDLED.digest), BUNDLED)


@pytest.mark.rule("N-3", "U-12")
async def test_bundles_are_found_also_when_no_mirror_answers(tmp_path: Path) -> None:
    """As they were last seen, after a restart too, and with a warning; what is unsigned is not."""
    haste = {"headers": 2.0, "overtake": 0.2, "stall": 0.3, "connect": 1.0}
    target = f"/v2/app/referrers/{APP.digest}{NS}"
    bare = f"/v2/app/referrers/{SIGNATURE.digest}{NS}"
    async with FakeRegistry() as mirror:
        async with serving(tmp_path, mirror) as served:
            for one in (APP, BUNDLED):
                mirror.put_image("app", None, one)
            told = await served.get(target)
            await served.get(bare)
            await same(served, str(BUNDLED.digest), BUNDLED)
            await served.until_filled()
        await mirror.stop()
        for offline in (False, True):
            async with serving(tmp_path, mirror, timeouts=haste, offline=offline) as served:
                got = await served.get(target)
                assert (got.status, got.body) == (200, told.body)
                assert "not confirmed" in (got.header("Warning") or "")
                assert (await served.get(bare)).status == (503 if offline else 502)


@pytest.mark.rule("N-3")
async def test_a_list_that_has_become_empty_is_not_remembered(tmp_path: Path) -> None:
    haste = {"headers": 2.0, "overtake": 0.2, "stall": 0.3, "connect": 1.0}
    target = f"/v2/app/referrers/{APP.digest}{NS}"
    async with FakeRegistry() as mirror, serving(tmp_path, mirror, timeouts=haste) as served:
        for one in (APP, BUNDLED):
            mirror.put_image("app", None, one)
        await served.get(target)
        mirror.content.repositories["app"].manifests.pop(str(BUNDLED.digest))
        assert (await served.get(target)).status == 200
        await mirror.stop()
        assert (await served.get(target)).status == 502
