"""Whether an image is signed as its owner wants it: what to look for, and what to think of it.

cosign puts signatures where any registry can hold them: under the tag `sha256-<hex>.sig` of the
same repository, as layers with the signature in an annotation, or, since its version 3, as
referrers of the image, each a Sigstore bundle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest, descriptors
from entrepot.oci.reference import Tag
from entrepot.trust.attachments import SIMPLE_SIGNING
from entrepot.trust.cosignbundle import BUNDLE_PREFIX, decode_base64, read_bundle
from entrepot.trust.cosignclaim import SIGNATURE_PREDICATE, Claim, read_payload, read_statement
from entrepot.trust.cosignkey import CosignKey

SIGNATURE_ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
SIGNATURE_KEY = "dev.cosignproject.cosign/signature"
PREDICATE_KEY = "dev.sigstore.bundle.predicateType"
LARGEST_BYTES = 1 << 20
"""Of a payload or a bundle; they have a few hundred bytes, or some thousand."""
MOST_SIGNATURES = 50
"""Looked at for one image, so that nobody can make us work for ever."""

_SHORT_HEX = 64


class Keyless(Protocol):
    """Who proves bundles whose signer shows a certificate."""

    def payload(self, bundle: bytes) -> bytes:
        """Give what was signed; ValueError, with a reason, unless the right one signed it."""


@dataclass(frozen=True, slots=True)
class SignatureRule:
    """What is asked of the images of some repositories; without keys and `keyless`, nothing.

    `signed_as` are names that an image may have been signed under besides its own, with * for
    anything; None is any name, which is how cosign itself sees it. `warn`: it is served all the
    same.
    """

    keys: tuple[CosignKey, ...] = ()
    signed_as: tuple[str, ...] | None = ()
    keyless: Keyless | None = None
    warn: bool = False

    @property
    def asks(self) -> bool:
        """Whether anything is looked at."""
        return bool(self.keys) or self.keyless is not None

    def __str__(self) -> str:
        named = [f"the key {key.name}" for key in self.keys]
        return " or ".join([*named, *([str(self.keyless)] if self.keyless is not None else [])])


@dataclass(frozen=True, slots=True)
class SignatureTable:
    """Which rule a repository has. The first whose pattern matches decides, alone.

    `rules` are by registry; `aliases` are the other names that people sign under.
    """

    rules: Mapping[str, tuple[tuple[str, SignatureRule], ...]] = field(default_factory=dict)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def rule(self, registry: str, repository: str) -> SignatureRule | None:
        """Find the rule; None where nothing is asked."""
        for pattern, rule in self.rules.get(registry, ()):
            if fnmatchcase(repository, pattern):
                return rule if rule.asks else None
        return None

    def names(self, registry: str, repository: str) -> tuple[str, ...]:
        """List what an image is called here."""
        hosts = (registry, *self.aliases.get(registry, ()))
        return tuple(f"{host}/{repository}" for host in hosts)


def signature_tag(digest: Digest) -> Tag:
    """Name the tag that an image's signatures lie under."""
    return Tag.parse(f"{digest.algorithm}-{digest.hex[:_SHORT_HEX]}.sig")


def signature_layers(manifest: Manifest) -> tuple[Descriptor, ...]:
    """List the layers of an attached manifest that `judge` can tell something about."""
    found = (
        one
        for one in descriptors(manifest)
        if (one.media_type == SIMPLE_SIGNING and SIGNATURE_KEY in one.annotations)
        or one.media_type.startswith(BUNDLE_PREFIX)
    )
    return tuple(found)[:MOST_SIGNATURES]


def signing_referrers(index: Manifest) -> tuple[Descriptor, ...]:
    """List the referrers of an image that may be signatures; those that say so come first.

    A registry may leave annotations out of its list, so what says nothing may be one too.
    """
    found = [
        one
        for one in descriptors(index)
        if one.artifact_type.startswith((BUNDLE_PREFIX, SIGNATURE_ARTIFACT))
        and one.annotations.get(PREDICATE_KEY, SIGNATURE_PREDICATE) == SIGNATURE_PREDICATE
    ]
    return tuple(sorted(found, key=lambda one: PREDICATE_KEY not in one.annotations))[
        :MOST_SIGNATURES
    ]


def judge(
    layer: Descriptor, body: bytes, image: Digest, names: Iterable[str], rule: SignatureRule
) -> str:
    """Say what is wrong with a signature of `image`; nothing when it is a good one.

    `body` is the layer's content, `names` are what the image is called here.
    """
    if not layer.digest.matches(body):
        return f"not what its digest says: {layer.digest}"
    try:
        if layer.media_type == SIMPLE_SIGNING:
            signature = decode_base64(layer.annotations.get(SIGNATURE_KEY))
            _prove((signature,), body, rule)
            claim = read_payload(body)
            return _objection(claim, image) or _misnamed(claim, names, rule)
        bundle = read_bundle(body)
        if not bundle.certified:
            _prove(bundle.signatures, bundle.signed, rule)
            payload = bundle.payload
        elif rule.keyless is not None:
            payload = rule.keyless.payload(body)
        else:
            return "signed with a certificate, and only keys count here"
        # Nobody binds an image's name in these: cosign leaves it out.
        return _objection(read_statement(payload), image)
    except ValueError as error:
        return str(error)


def _prove(signatures: Iterable[bytes], data: bytes, rule: SignatureRule) -> None:
    if any(key.signed(one, data) for one in signatures for key in rule.keys):
        return
    if not rule.keys:
        raise ValueError(
            "signed without a bundle that proves a certificate, and no keys count here"
        )
    keys = ", ".join(key.name for key in rule.keys)
    raise ValueError(f"signed by somebody else than {keys}, or changed since")


def _objection(claim: Claim, image: Digest) -> str:
    if image in claim.digests:
        return ""
    others = ", ".join(sorted(str(one) for one in claim.digests)[:3])
    return f"a signature of another image, {others}"


def _misnamed(claim: Claim, names: Iterable[str], rule: SignatureRule) -> str:
    if rule.signed_as is None:
        return ""
    accepted = (*names, *rule.signed_as)
    if any(fnmatchcase(claim.repository, one) for one in accepted):
        return ""
    return (
        f"signed as {claim.repository or 'nothing'}, which is another name:"
        " if that is right, add it to `signed_as`"
    )
