"""Certificates are proved by the Sigstore library, from a file, against a Sigstore of our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.trust.cosignkeyless import KeylessSigner
from fakes.cosign import statement
from fakes.sigstore import FakeSigstore

pytest.importorskip("sigstore", reason="entrepot[keyless] is not installed")

ISSUER = "https://token.actions.githubusercontent.com"
IDENTITY = "https://github.com/team/app/.github/workflows/release.yml@refs/tags/v1"
BODY = statement(Digest.of(b"image"))
FAKE = FakeSigstore()
GOOD = FAKE.bundle(BODY, IDENTITY, ISSUER)


def signer(path: Path, identity: str = IDENTITY, issuer: str = ISSUER) -> KeylessSigner:
    file = path / "trusted_root.json"
    file.write_bytes(FAKE.trusted_root)
    return KeylessSigner.of(file, identity, issuer)


@pytest.mark.parametrize("identity", [IDENTITY, "https://github.com/team/app/*", "*@refs/tags/v1"])
def test_who_should_have_signed_has(tmp_path: Path, identity: str) -> None:
    assert signer(tmp_path, identity).payload(GOOD) == BODY


def test_a_person_is_called_by_an_address(tmp_path: Path) -> None:
    issuer = "https://accounts.google.com"
    bundle = FAKE.bundle(BODY, "robot@team.example", issuer)
    assert signer(tmp_path, "robot@team.example", issuer).payload(bundle) == BODY


@pytest.mark.parametrize(
    ("identity", "issuer"),
    [
        ("https://github.com/team/other/*", ISSUER),
        ("github.com/team/app", ISSUER),
        ("https://github.com/team/.pp/*", ISSUER),
        (IDENTITY, "https://accounts.google.com"),
    ],
)
def test_somebody_else_has_not(tmp_path: Path, identity: str, issuer: str) -> None:
    with pytest.raises(ValueError, match="not proved to be signed by"):
        signer(tmp_path, identity, issuer).payload(GOOD)


def without_log() -> bytes:
    document = json.loads(GOOD)
    del document["verificationMaterial"]["tlogEntries"]
    return json.dumps(document).encode()


def other_statement() -> bytes:
    document = json.loads(GOOD)
    other = json.loads(FAKE.bundle(statement(Digest.of(b"other")), IDENTITY, ISSUER))
    document["dsseEnvelope"]["payload"] = other["dsseEnvelope"]["payload"]
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "bundle",
    [
        FakeSigstore().bundle(BODY, IDENTITY, ISSUER),
        FakeSigstore(authority=FAKE.authority).bundle(BODY, IDENTITY, ISSUER),
        FakeSigstore(FAKE.authority, FAKE.certificates_log).bundle(BODY, IDENTITY, ISSUER),
        FakeSigstore(FAKE.authority, rekor=FAKE.rekor).bundle(BODY, IDENTITY, ISSUER),
        other_statement(),
        without_log(),
        b"{}",
        b"\xff",
    ],
    ids=[
        "another Sigstore",
        "other logs",
        "another Rekor",
        "another log of certificates",
        "another statement",
        "not in the log",
        "empty",
        "garbage",
    ],
)
def test_what_is_not_proved_is_refused(tmp_path: Path, bundle: bytes) -> None:
    with pytest.raises(ValueError, match="not proved to be signed by"):
        signer(tmp_path).payload(bundle)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"mediaType": "x"}'])
def test_a_file_that_is_no_trusted_root(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "root.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"root\.json is no trusted_root\.json"):
        KeylessSigner.of(file, IDENTITY, ISSUER)


def test_it_says_whom_it_means(tmp_path: Path) -> None:
    assert str(signer(tmp_path)) == f"{IDENTITY}, by the word of {ISSUER}"
