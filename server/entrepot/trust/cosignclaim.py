"""What a cosign signature says: which image is meant, and what it was called when it was signed.

A signature is over a *payload* (simple signing, in `.sig` tags) or over an in-toto *statement*
(in Sigstore bundles). Both are read only after the signature over them has been proved.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from entrepot.errors import DigestInvalid
from entrepot.oci.digest import Digest

PAYLOAD_TYPE = "cosign container image signature"
SIGNATURE_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
"""The statement that is a signature; others are attestations, and may say that an image is bad."""
_STATEMENTS = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
_DOCKER_HOSTS = ("index.docker.io/", "registry-1.docker.io/")


@dataclass(frozen=True, slots=True)
class Claim:
    """The digests that were signed, and the name: "" where the signer gave none."""

    digests: frozenset[Digest]
    reference: str = ""

    @property
    def repository(self) -> str:
        """The name without tag and digest, Docker Hub by its usual name."""
        name = self.reference.partition("@")[0]
        head, slash, last = name.rpartition("/")
        name = f"{head}{slash}{last.partition(':')[0]}"
        for host in _DOCKER_HOSTS:
            if name.startswith(host):
                return f"docker.io/{name.removeprefix(host)}"
        return name


def read_payload(body: bytes) -> Claim:
    """Read a simple signing payload of cosign's; ValueError, with a reason, for anything else."""
    critical = _mapping(_document(body).get("critical"))
    kind = critical.get("type")
    if kind != PAYLOAD_TYPE:
        raise ValueError(f"its payload is {_told(kind)}, not a {PAYLOAD_TYPE}")
    reference = _mapping(critical.get("identity")).get("docker-reference")
    digest = _mapping(critical.get("image")).get("docker-manifest-digest")
    found = _digest(digest)
    if found is None:
        raise ValueError(f"its payload names no image: {_told(digest)}")
    return Claim(frozenset({found}), reference if isinstance(reference, str) else "")


def read_statement(body: bytes) -> Claim:
    """Read an in-toto statement that is an image signature; ValueError for anything else."""
    statement = _document(body)
    if statement.get("_type") not in _STATEMENTS:
        raise ValueError(f"it holds {_told(statement.get('_type'))}, not an in-toto statement")
    predicate = statement.get("predicateType")
    if predicate != SIGNATURE_PREDICATE:
        raise ValueError(f"it is an attestation ({_told(predicate)}), not a signature")
    subjects = statement.get("subject")
    found: set[Digest] = set()
    for subject in subjects if isinstance(subjects, list) else []:
        for algorithm, value in _mapping(_mapping(subject).get("digest")).items():
            digest = _digest(f"{algorithm}:{value}")
            if digest is not None:
                found.add(digest)
    if not found:
        raise ValueError("its statement names no image")
    return Claim(frozenset(found))


def _document(body: bytes) -> dict[str, object]:
    try:
        value: object = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError("what was signed is not JSON") from error
    return _mapping(value)


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _digest(text: object) -> Digest | None:
    try:
        return Digest.parse(text) if isinstance(text, str) else None
    except DigestInvalid:
        return None


def _told(value: object) -> str:
    return repr(value)[:100]
