"""Sigstore bundles are read, or refused with a reason."""

from __future__ import annotations

import json

import pytest

from entrepot.trust.cosignbundle import decode_base64, read_bundle
from fakes.cosign import BUNDLE, Signer, bundle, encoding

BODY = b'{"_type": "x"}'
SIGNER = Signer.make("ed25519")


def test_a_bundle_signed_with_a_key() -> None:
    read = read_bundle(bundle(SIGNER, BODY))
    assert (read.payload, read.certified) == (BODY, False)
    assert read.signed == encoding(BODY)
    assert read.signatures == (SIGNER.sign(encoding(BODY)),)


@pytest.mark.parametrize("material", ["certificate", "x509CertificateChain"])
def test_a_bundle_with_a_certificate(material: str) -> None:
    document = json.loads(bundle(SIGNER, BODY))
    document["verificationMaterial"] = {material: {}}
    assert read_bundle(json.dumps(document).encode()).certified


def test_of_many_signatures_ten_are_looked_at() -> None:
    document = json.loads(bundle(SIGNER, BODY))
    document["dsseEnvelope"]["signatures"] *= 1000
    assert len(read_bundle(json.dumps(document).encode()).signatures) == 10


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a Sigstore bundle"),
        (b'{"mediaType": "text/plain"}', "not a Sigstore bundle"),
        (json.dumps({"mediaType": BUNDLE, "messageSignature": {}}).encode(), "has no envelope"),
        (bundle(SIGNER, BODY, "text/plain"), "holds 'text/plain'"),
        (bundle(SIGNER, BODY).replace(b'"sig":"', b'"sig":"*'), "not base64"),
        (bundle(SIGNER, BODY).replace(b'"sig":', b'"gis":'), "no text"),
    ],
)
def test_what_is_no_bundle(body: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_bundle(body)


@pytest.mark.parametrize("text", [None, 5, "a", "é", "YQ==\n"])
def test_only_base64_is_a_signature(text: object) -> None:
    with pytest.raises(ValueError, match="a signature that is no"):
        decode_base64(text)
