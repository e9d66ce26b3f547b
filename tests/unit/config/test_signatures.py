"""Rules for signatures are read, and every mistake in them has its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.config import ConfigError, Settings, load_settings
from entrepot.config.signatures import VerifyRule, read_key
from fakes.cosign import Signer

SIGNER = Signer.make("ed25519")


def loaded(directory: Path, verify: str, key: bytes = SIGNER.pem) -> Settings:
    (directory / "team.pub").write_bytes(key)
    (directory / "root.json").write_bytes(b"{}")
    file = directory / "entrepot.yaml"
    file.write_text(
        "registries:\n  registry.example.com:\n    mirrors: [https://registry.example.com]\n"
        f"    verify: {verify}\n"
    )
    return load_settings(file)


def test_rules_are_read_in_their_order(tmp_path: Path) -> None:
    text = (
        '[{repository: team/scratch, unsigned: true}, {repository: "team/*", cosign: team.pub,'
        ' signed_as: "quay.io/*"}, {cosign: [team.pub], signed_as: ["*"], warn: true}]'
    )
    first, second, third = loaded(tmp_path, text).registries["registry.example.com"].verify
    assert (first.repository, first.unsigned, first.cosign) == ("team/scratch", True, ())
    assert (second.cosign, second.signed_as) == ((tmp_path / "team.pub",), ("quay.io/*",))
    assert (second.any_name, third.any_name, third.warn, third.repository) == (
        False,
        True,
        True,
        "*",
    )


@pytest.mark.parametrize(
    ("verify", "problem"),
    [
        ("[{}]", "whose signature?"),
        ("[{cosign: []}]", "whose signature?"),
        ("[{cosign: team.pub, unsigned: true}]", "not both"),
        ("[{cosign: other.pub}]", "there is no such file"),
        ("[{cosign: root.json}]", "not a public key in PEM form"),
        ("[{cosign: team.pub, repository: 'team app'}]", "not repositories"),
        ("[{cosign: team.pub, signed_as: 'a b'}]", "not the name of an image"),
        ("[{cosgin: team.pub}]", "cosign"),
        ("[{keyless: {trusted_root: root.json, identity: a, issuer: b}}]", "no trusted_root.json"),
        ("[{keyless: {trusted_root: root.json}}]", "identity"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, verify: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        loaded(tmp_path, verify)


def test_without_a_file_only_the_form_is_checked() -> None:
    assert VerifyRule.model_validate({"cosign": "/nowhere/cosign.pub"}).cosign
    with pytest.raises(ValueError, match="No such file"):
        read_key(Path("/nowhere/cosign.pub"))
