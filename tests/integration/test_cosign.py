"""A program that knows cosign's signatures finds them through Entrepot, and hears its refusals."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from fakes.cosign import Signer, sig_tag, signed
from fakes.images import image
from fakes.registry import FakeRegistry
from programs.podman import Podman
from unit.web.serving import K8S, registry_settings, serving

pytestmark = pytest.mark.integration

OWNER = Signer.make()
GOOD, BARE = (
    image(name, rootfs={"etc/name": (0o644, name.encode())}, flavour="oci")
    for name in ("good", "bare")
)


@pytest.mark.rule("G-6")
async def test_skopeo_copies_the_signature_with_the_image(tmp_path: Path) -> None:
    """It proves none: Debian's is built without that."""
    attachments = {"default-docker": {"use-sigstore-attachments": True}}
    (tmp_path / "registries.d").mkdir()
    (tmp_path / "registries.d" / "all.yaml").write_text(json.dumps(attachments))
    attached = signed(OWNER, GOOD.digest, "registry.k8s.io/app")
    async with (
        FakeRegistry() as mirror,
        serving(tmp_path, mirror) as served,
        Podman(tmp_path / "skopeo") as tools,
    ):
        mirror.put_image("app", "good", GOOD)
        mirror.put_image("app", sig_tag(GOOD.digest), attached)
        await tools.skopeo(
            f"--registries.d={tmp_path}/registries.d",
            "copy",
            "--src-tls-verify=false",
            f"docker://{served.address}/k8s.gcr.io/app:good",
            f"dir:{tmp_path}/good",
        )
    copied = (tmp_path / "good" / "signature-1").read_bytes()
    said = json.loads(copied.partition(b"\n")[2])
    assert base64.b64decode(said["payload"]) == attached.layers[0]
    (layer,) = json.loads(attached.manifest)["layers"]
    assert said["annotations"] == layer["annotations"]


async def test_what_is_refused_is_told_to_skopeo_with_its_reason(tmp_path: Path) -> None:
    key = tmp_path / "cosign.pub"
    key.write_bytes(OWNER.pem)
    async with FakeRegistry() as mirror, Podman(tmp_path / "skopeo") as tools:
        verify = [{"cosign": str(key)}]
        registries = {K8S: registry_settings(mirror, aliases=["k8s.gcr.io"], verify=verify)}
        async with serving(tmp_path, registries=registries) as served:
            mirror.put_image("app", "good", GOOD)
            attached = signed(OWNER, GOOD.digest, "registry.k8s.io/app")
            mirror.put_image("app", sig_tag(GOOD.digest), attached)
            mirror.put_image("app", "bare", BARE)
            name = f"docker://{served.address}/k8s.gcr.io/app"
            flags = ("inspect", "--no-tags", "--tls-verify=false")
            said = json.loads(await tools.skopeo(*flags, f"{name}:good"))
            assert said["Digest"] == str(GOOD.digest)
            with pytest.raises(RuntimeError, match=r"not signed as the settings want it"):
                await tools.skopeo(*flags, f"{name}:bare")
