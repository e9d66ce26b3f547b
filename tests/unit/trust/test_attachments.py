"""What may travel unsigned, and what only pretends to."""

from __future__ import annotations

import json

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, read_manifest
from entrepot.oci.reference import Tag
from entrepot.trust.attachments import is_asked_as_attachment, is_attachment
from fakes.cosign import SIMPLE_SIGNING, Signer, bundled, signed
from fakes.images import OCI_INDEX, OCI_LAYER, OCI_MANIFEST, artifact, image, index

SIGNER = Signer.make("ed25519")
APP = image("app", flavour="oci")
SIGNATURE = signed(SIGNER, APP.digest)
BUNDLED = bundled(SIGNER, APP)


def manifest(body: bytes, media_type: str = OCI_MANIFEST) -> Manifest:
    return read_manifest(body, media_type)


def written(document: object) -> bytes:
    return json.dumps(document).encode()


DIGEST = str(Digest.of(b""))
DOCUMENT = {"mediaType": SIMPLE_SIGNING, "digest": DIGEST, "size": 9}
LAYER = {"mediaType": OCI_LAYER, "digest": DIGEST, "size": 9}
PLAIN = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [DOCUMENT]}


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (SIGNATURE.manifest, OCI_MANIFEST),
        (BUNDLED.manifest, OCI_MANIFEST),
        (artifact(subject=APP, artifact_type="text/spdx+json").manifest, OCI_MANIFEST),
        (written(PLAIN), OCI_MANIFEST),
        (
            written(
                {
                    "schemaVersion": 2,
                    "mediaType": OCI_INDEX,
                    "manifests": [{**BUNDLED.descriptor(), "artifactType": "a/b"}],
                }
            ),
            OCI_INDEX,
        ),
        (written({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}), OCI_INDEX),
    ],
    ids=["sig", "bundle", "sbom", "plain", "list", "empty list"],
)
def test_what_nobody_can_run_is_attached(body: bytes, media_type: str) -> None:
    assert is_attachment(manifest(body, media_type))


@pytest.mark.parametrize(
    "body",
    [
        APP.manifest,
        image("app").manifest,
        index([APP], flavour="oci").manifest,
        index([APP]).manifest,
        artifact(artifact_type="application/vnd.wasm.content.layer.v1+wasm").manifest,
        written({**PLAIN, "layers": [DOCUMENT, LAYER]}),
        written({**PLAIN, "layers": [DOCUMENT, {"mediaType": OCI_LAYER}]}),
        written({**PLAIN, "layers": []}),
        written({**PLAIN, "layers": [DOCUMENT, "text"]}),
        written({**PLAIN, "Layers": [LAYER]}),
        written({**PLAIN, "manifests": [APP.descriptor()]}),
        written({**PLAIN, "layers": [{**DOCUMENT, "MediaType": OCI_LAYER}]}),
        written({**PLAIN, "layers": {"0": DOCUMENT}}),
        written(PLAIN)[:-1] + b', "layers": ' + written([LAYER]) + b"}",
        written({**PLAIN, "layers": [LAYER]})[:-1] + b', "layers": ' + written([DOCUMENT]) + b"}",
        written([LAYER]),
    ],
)
def test_what_could_run_is_not(body: bytes) -> None:
    """Also when only a program that reads JSON another way could run it."""
    document = Manifest(Digest.of(body), OCI_MANIFEST, body)
    assert not is_attachment(document)
    assert not is_attachment(Manifest(Digest.of(body), OCI_INDEX, body))


@pytest.mark.parametrize(
    ("text", "attached"),
    [
        ("1.2.3", False),
        ("latest", False),
        (f"sha256-{'a' * 64}", True),
        (f"sha256-{'a' * 64}.sig", True),
        (f"sha256-{'a' * 64}.att", True),
        (f"sha256-{'a' * 63}.sig", False),
        (f"v1-sha256-{'a' * 64}.sig", False),
    ],
)
def test_only_tags_made_for_attachments_can_mean_one(text: str, *, attached: bool) -> None:
    assert is_asked_as_attachment(Tag.parse(text)) is attached
    assert is_asked_as_attachment(Digest.of(b"any"))
