"""`verify` in the settings, from the wire: signed images are served, and no others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.cosign import (
    Kind,
    Signer,
    bundle_referrer,
    bundled,
    sig_tag,
    signed,
    statement,
)
from fakes.images import Image, image, index
from fakes.registry import FakeRegistry, Fault
from fakes.sigstore import FakeSigstore
from unit.web.serving import K8S, NS, Serving, registry_settings, serving

OWNER, STRANGER = Signer.make(), Signer.make()
APP = image("app", flavour="oci")
ARM = image("app", platform="linux/arm64", flavour="oci")
BOTH = index([APP, ARM], flavour="oci")
NAME = "registry.k8s.io/app"
HASTE = {"headers": 2.0, "overtake": 0.2, "stall": 0.3, "connect": 1.0}


@asynccontextmanager
async def verifying(
    path: Path, *mirrors: FakeRegistry, signer: Signer = OWNER, **rule: object
) -> AsyncIterator[Serving]:
    """A server that wants every image signed with one key, or as `rule` has it."""
    key = path / "cosign.pub"
    key.write_bytes(signer.pem)
    verify = [{"repository": "free/*", "unsigned": True}, {"cosign": str(key), **rule}]
    registries = {K8S: registry_settings(*mirrors, aliases=["k8s.gcr.io"], verify=verify)}
    async with serving(path, registries=registries, timeouts=HASTE) as served:
        yield served


async def status(served: Serving, reference: object, method: str = "GET") -> int:
    return (await served.ask(method, f"/v2/app/manifests/{reference}{NS}")).status


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "ed25519", "rsa"])
async def test_a_signed_image_is_served(tmp_path: Path, kind: Kind) -> None:
    signer = Signer.make(kind)
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror, signer=signer) as served:
        mirror.put_image("app", "1.0", APP)
        mirror.put_image("app", sig_tag(APP.digest), signed(signer, APP.digest, NAME))
        for reference in ("1.0", APP.digest):
            for method in ("HEAD", "GET"):
                assert await status(served, reference, method) == 200
        assert len(mirror.asked(".sig")) == 1


async def test_an_image_may_be_signed_under_an_alias(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror) as served:
        mirror.put_image("app", "1.0", APP)
        mirror.put_image("app", sig_tag(APP.digest), signed(OWNER, APP.digest, "k8s.gcr.io/app"))
        assert await status(served, "1.0") == 200


@pytest.mark.parametrize("api", [True, False], ids=["api", "tag"])
async def test_a_bundle_will_do(tmp_path: Path, *, api: bool) -> None:
    async with FakeRegistry(referrers=api) as mirror, verifying(tmp_path, mirror) as served:
        attached = bundled(OWNER, APP)
        mirror.put_image("app", "1.0", APP)
        mirror.put_image("app", None, attached)
        if not api:
            entry = {
                **attached.descriptor(),
                "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            }
            body = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
            media_type = "application/vnd.oci.image.index.v1+json"
            mirror.put_manifest("app", sig_tag(APP.digest, ""), body, media_type)
        assert await status(served, "1.0") == 200


async def test_a_certificate_will_do(tmp_path: Path) -> None:
    pytest.importorskip("sigstore", reason="entrepot[keyless] is not installed")
    fake, root = FakeSigstore(), tmp_path / "trusted_root.json"
    root.write_bytes(fake.trusted_root)
    keyless = {
        "trusted_root": str(root),
        "identity": "https://github.com/team/app/*",
        "issuer": "https://token.actions.githubusercontent.com",
    }
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror, keyless=keyless) as served:
        for one, tag, team in ((APP, "good", "team"), (ARM, "bad", "other")):
            body = fake.bundle(
                statement(one.digest),
                f"https://github.com/{team}/app/.github/workflows/release.yml@refs/heads/main",
                keyless["issuer"],
            )
            mirror.put_image("app", tag, one)
            mirror.put_image("app", None, bundle_referrer(one, body))
        assert await status(served, "good") == 200
        assert await status(served, "bad") == 403


@pytest.mark.rule("E-4")
@pytest.mark.parametrize(
    "attached",
    [None, signed(STRANGER, APP.digest, NAME), signed(OWNER, ARM.digest, NAME)],
    ids=["unsigned", "stranger", "replayed"],
)
async def test_other_images_are_refused(tmp_path: Path, attached: Image | None) -> None:
    """By tag and by digest, HEAD and GET, the first time and the second, also when it is held."""
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror) as served:
        mirror.put_image("app", "1.0", APP)
        if attached is not None:
            mirror.put_image("app", sig_tag(APP.digest), attached)
        for reference in ("1.0", APP.digest, "1.0"):
            assert await status(served, reference, "HEAD") == 403
            got = await served.get(f"/v2/app/manifests/{reference}{NS}")
            assert (got.status, got.header("Content-Type")) == (403, "application/json")
            (told,) = json.loads(got.body)["errors"]
            assert told["code"] == "DENIED"
            assert str(APP.digest) in told["message"]
            assert "cosign.pub" in told["message"]
            assert len(told["detail"]) == 2
        assert (await served.metrics())[
            'entrepot_signature_verdicts_total{registry="registry.k8s.io",verdict="refused"}'
        ] == 1


async def test_what_pretends_to_be_a_list_of_artifacts_is_refused(tmp_path: Path) -> None:
    """By the image's tag, and all that it names; also when it was asked for by digest before."""
    written = json.loads(BOTH.manifest)
    for entry in written["manifests"]:
        entry["artifactType"] = "text/spdx+json"
    listing = replace(BOTH, manifest=json.dumps(written).encode())
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror) as served:
        mirror.put_image("app", "1.0", listing)
        assert await status(served, "1.0") == 403
        assert await status(served, listing.digest) == 200
        for reference in ("1.0", APP.digest, ARM.digest):
            assert await status(served, reference) == 403


async def test_the_children_of_a_signed_index(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror) as served:
        mirror.put_image("app", "1.0", BOTH)
        mirror.put_image("app", sig_tag(BOTH.digest), signed(OWNER, BOTH.digest, NAME))
        assert await status(served, "1.0") == 200
        assert await status(served, ARM.digest) == 200
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror) as served:
        mirror.put_image("app", None, APP)
        mirror.put_image("app", sig_tag(BOTH.digest), signed(OWNER, BOTH.digest, NAME))
        assert await status(served, APP.digest) == 200  # after a restart, by what is in the cache


async def test_a_child_alone_is_not_known_to_be_signed(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror) as served:
        mirror.put_image("app", "1.0", BOTH)
        mirror.put_image("app", sig_tag(BOTH.digest), signed(OWNER, BOTH.digest, NAME))
        assert await status(served, ARM.digest) == 403


async def test_what_is_attached_is_served_unsigned(tmp_path: Path) -> None:
    attached, referring = signed(STRANGER, APP.digest), bundled(STRANGER, APP)
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror) as served:
        mirror.put_image("app", sig_tag(APP.digest), attached)
        mirror.put_image("app", None, referring)
        assert await status(served, sig_tag(APP.digest)) == 200
        assert await status(served, attached.digest) == 200
        assert await status(served, referring.digest) == 200


async def test_an_image_under_a_signatures_tag_is_refused(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror) as served:
        mirror.put_image("app", sig_tag(APP.digest), ARM)
        assert await status(served, sig_tag(APP.digest)) == 403


async def test_a_repository_may_be_left_out(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror) as served:
        mirror.put_image("free/app", "1.0", APP)
        got = await served.get(f"/v2/free/app/manifests/1.0{NS}")
        assert got.status == 200
        assert mirror.asked(".sig") == []
        # the same image under a name that is not left out
        mirror.put_image("app", "1.0", APP)
        assert await status(served, "1.0") == 403


async def test_a_warning_only(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror, warn=True) as served:
        mirror.put_image("app", "1.0", APP)
        assert await status(served, "1.0") == 200


@pytest.mark.rule("E-2")
async def test_signatures_that_nobody_tells_of(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror) as served:
        mirror.put_image("app", "1.0", APP)
        mirror.put_image("app", sig_tag(APP.digest), signed(OWNER, APP.digest, NAME))
        mirror.fault(Fault("status", status=500, path="sha256-", times=None))
        mirror.fault(Fault("status", status=500, path="/referrers/", times=None))
        got = await served.get(f"/v2/app/manifests/1.0{NS}")
        assert got.status == 502
        assert b"signature could not be looked at" in got.body
        mirror.clear_faults()
        assert await status(served, "1.0") == 200


async def test_the_mirror_that_has_the_signature_counts(tmp_path: Path) -> None:
    async with FakeRegistry() as bare, FakeRegistry() as whole:
        for mirror in (bare, whole):
            mirror.put_image("app", "1.0", APP)
        whole.put_image("app", sig_tag(APP.digest), signed(OWNER, APP.digest, NAME))
        async with verifying(tmp_path, bare, whole) as served:
            assert await status(served, "1.0") == 200


async def test_many_clients_one_look(tmp_path: Path) -> None:
    async with FakeRegistry() as mirror, verifying(tmp_path, mirror) as served:
        mirror.put_image("app", "1.0", APP)
        mirror.put_image("app", sig_tag(APP.digest), signed(OWNER, APP.digest, NAME))
        found = await asyncio.gather(*(status(served, "1.0") for _ in range(30)))
        assert found == [200] * 30
        assert len(mirror.asked(".sig", "GET")) == 1


@pytest.mark.parametrize("form", ["tag", "bundle"])
async def test_what_was_proved_is_proved_again_from_the_cache(tmp_path: Path, form: str) -> None:
    """After a restart with every mirror down."""
    async with FakeRegistry() as mirror:
        async with verifying(tmp_path, mirror) as served:
            mirror.put_image("app", "1.0", APP)
            if form == "tag":
                mirror.put_image("app", sig_tag(APP.digest), signed(OWNER, APP.digest, NAME))
            else:
                mirror.put_image("app", None, bundled(OWNER, APP))
            mirror.put_image("app", "bare", ARM)
            assert await status(served, "1.0") == 200
            assert await status(served, "bare") == 403
            await served.until_filled()
        await mirror.stop()
        async with verifying(tmp_path, mirror) as served:
            assert await status(served, "1.0") == 200
            assert await status(served, "bare") == 502
