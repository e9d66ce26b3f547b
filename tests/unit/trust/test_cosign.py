"""Signatures of every form are judged; whatever is wrong with one is told."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import read_manifest
from entrepot.trust.cosign import (
    MOST_SIGNATURES,
    SIGNATURE_KEY,
    SignatureRule,
    SignatureTable,
    judge,
    signature_layers,
    signature_tag,
    signing_referrers,
)
from entrepot.trust.cosignkey import CosignKey
from fakes.cosign import (
    BUNDLE,
    PROVENANCE,
    Signer,
    bundle,
    bundled,
    payload,
    sig_tag,
    signature,
    signed,
    statement,
)
from fakes.images import OCI_INDEX, OCI_MANIFEST, Image, artifact, image, to_json

APP = image("app", flavour="oci")
OTHER = image("other", flavour="oci")
OWNER, STRANGER = Signer.make(), Signer.make()
KEY = CosignKey.parse(OWNER.pem, "cosign.pub")
NAME = "registry.example/team/app"
RULE = SignatureRule((KEY,))


@dataclass(frozen=True, slots=True)
class Proof:
    """Takes the place of a verifier of certificates: whose word is good is the test's."""

    good: bytes

    def payload(self, bundle: bytes) -> bytes:
        if bundle != self.good:
            raise ValueError("no certificate of ours")
        return statement(APP.digest)


def told(attached: Image, rule: SignatureRule = RULE, image: Digest = APP.digest) -> list[str]:
    """What is thought of each signature in a manifest."""
    manifest = read_manifest(attached.manifest, OCI_MANIFEST)
    content = {Digest.of(layer): layer for layer in attached.layers}
    layers = signature_layers(manifest)
    return [judge(one, content[one.digest], image, (NAME,), rule) for one in layers]


def of(body: bytes, signer: Signer = OWNER) -> tuple[bytes, bytes]:
    return body, signer.sign(body)


def test_a_good_signature() -> None:
    assert told(signed(OWNER, APP.digest, NAME)) == [""]


def test_a_good_bundle() -> None:
    assert told(bundled(OWNER, APP)) == [""]


@pytest.mark.parametrize(
    ("attached", "reason"),
    [
        (signed(STRANGER, APP.digest, NAME), "signed by somebody else than cosign.pub"),
        (bundled(STRANGER, APP), "signed by somebody else than cosign.pub"),
        (signed(OWNER, OTHER.digest, NAME), f"a signature of another image, {OTHER.digest}"),
        (bundled(OWNER, OTHER), f"a signature of another image, {OTHER.digest}"),
        (
            signature([(payload(APP.digest, NAME), OWNER.sign(payload(OTHER.digest, NAME)))]),
            "or changed since",
        ),
        (signed(OWNER, APP.digest, "registry.example/team/old"), "signed as registry.example"),
        (signed(OWNER, APP.digest), "signed as nothing"),
        (signature([of(payload(APP.digest, NAME, "another type"))]), "its payload is 'another"),
        (signature([(payload(APP.digest, NAME), b"")]), "signed by somebody else"),
    ],
    ids=[
        "stranger",
        "stranger's bundle",
        "replayed",
        "replayed bundle",
        "tampered",
        "name",
        "no name",
        "type",
        "empty",
    ],
)
def test_bad_signatures_and_why(attached: Image, reason: str) -> None:
    (found,) = told(attached)
    assert reason in found


def test_an_attestation_is_no_signature() -> None:
    (layer,) = signature_layers(read_manifest(bundled(OWNER, APP).manifest, OCI_MANIFEST))
    body = bundle(OWNER, statement(APP.digest, PROVENANCE))
    layer = replace(layer, digest=Digest.of(body))
    assert "an attestation" in judge(layer, body, APP.digest, (), RULE)


def test_a_layer_that_is_not_what_its_digest_says() -> None:
    attached = signed(OWNER, APP.digest, NAME)
    (layer,) = signature_layers(read_manifest(attached.manifest, OCI_MANIFEST))
    changed = attached.layers[0] + b" "
    assert "not what its digest says" in judge(layer, changed, APP.digest, (NAME,), RULE)


def test_one_good_signature_among_others_is_found() -> None:
    body = payload(APP.digest, NAME)
    first, second = told(signature([of(body, STRANGER), of(body)]))
    assert first
    assert not second


def test_each_of_several_keys_counts() -> None:
    both = SignatureRule((CosignKey.parse(STRANGER.pem, "old.pub"), KEY))
    assert told(signed(OWNER, APP.digest, NAME), both) == [""]
    assert told(signed(STRANGER, APP.digest, NAME), both) == [""]


@pytest.mark.parametrize(
    ("signed_as", "name", "good"),
    [
        (None, "", True),
        (None, "anything", True),
        (("old.example/*",), "old.example/team/app:1.0", True),
        (("old.example/*",), NAME, True),
        (("old.example/*",), "very.old.example/team/app", False),
        (("docker.io/team/*",), "index.docker.io/team/app", True),
    ],
)
def test_names_that_are_accepted(signed_as: tuple[str, ...] | None, name: str, good: bool) -> None:
    (found,) = told(signed(OWNER, APP.digest, name), SignatureRule((KEY,), signed_as))
    assert (found == "") == good


def test_a_certificate_counts_where_somebody_proves_it() -> None:
    body = bundle(STRANGER, statement(APP.digest)).replace(b'"publicKey"', b'"certificate"')
    layer = Descriptor(BUNDLE, Digest.of(body), len(body))
    assert "only keys count" in judge(layer, body, APP.digest, (), RULE)
    trusting = SignatureRule(keyless=Proof(body))
    assert judge(layer, body, APP.digest, (), trusting) == ""
    assert "another image" in judge(layer, body, OTHER.digest, (), trusting)
    assert "no certificate of ours" in judge(
        layer, body, APP.digest, (), SignatureRule(keyless=Proof(b""))
    )
    (found,) = told(signed(OWNER, APP.digest, NAME), trusting)
    assert "no keys count here" in found


def test_no_more_signatures_are_looked_at_than_make_sense() -> None:
    many = signature(
        [of(payload(APP.digest, str(number))) for number in range(MOST_SIGNATURES + 9)]
    )
    assert len(signature_layers(read_manifest(many.manifest, OCI_MANIFEST))) == MOST_SIGNATURES


def test_layers_without_a_signature_are_left_out() -> None:
    bare = signed(OWNER, APP.digest).manifest.replace(SIGNATURE_KEY.encode(), b"a.b/c")
    assert signature_layers(read_manifest(bare, OCI_MANIFEST)) == ()


def test_the_tag_is_cosigns() -> None:
    assert signature_tag(APP.digest) == sig_tag(APP.digest)


def test_referrers_that_say_to_be_signatures_come_first() -> None:
    silent = {**bundled(OWNER, APP).descriptor(), "artifactType": BUNDLE}
    saying = {**bundled(STRANGER, APP).descriptor(), "artifactType": BUNDLE}
    saying["annotations"] = {
        "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1"
    }
    attestation = {**saying, "annotations": {"dev.sigstore.bundle.predicateType": PROVENANCE}}
    old = {**saying, "artifactType": "application/vnd.dev.cosign.artifact.sig.v1+json"}
    sbom = artifact(subject=APP).descriptor()
    body = to_json({"mediaType": OCI_INDEX, "manifests": [silent, attestation, sbom, saying, old]})
    found = [one.digest for one in signing_referrers(read_manifest(body, OCI_INDEX))]
    assert [str(one) for one in found] == [saying["digest"], old["digest"], silent["digest"]]


def test_the_first_rule_that_matches_decides() -> None:
    nothing = SignatureRule()
    table = SignatureTable(
        {"registry.example": (("team/scratch", nothing), ("team/*", RULE))},
        {"registry.example": ("alias.example",)},
    )
    assert table.rule("registry.example", "team/app") is RULE
    assert table.rule("registry.example", "team/deep/app") is RULE
    assert table.rule("registry.example", "team/scratch") is None
    assert table.rule("registry.example", "app") is None
    assert table.rule("quay.io", "team/app") is None
    assert table.names("registry.example", "a/b") == ("registry.example/a/b", "alias.example/a/b")
    assert table.names("quay.io", "a") == ("quay.io/a",)


def test_a_rule_says_what_it_looks_for() -> None:
    assert str(RULE) == "the key cosign.pub"
    assert str(SignatureRule((KEY, KEY))) == "the key cosign.pub or the key cosign.pub"
