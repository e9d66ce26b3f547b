"""What is written in the settings is what signatures are held against."""

from __future__ import annotations

from pathlib import Path

from entrepot.config.settings import RegistrySettings
from entrepot.mirror.signaturerules import signature_table
from fakes.cosign import Signer
from fakes.sigstore import FakeSigstore


def registry(**more: object) -> RegistrySettings:
    return RegistrySettings.model_validate({"mirrors": ["https://r.example"], **more})


def test_settings_become_rules(tmp_path: Path) -> None:
    key, root = tmp_path / "team.pub", tmp_path / "trusted_root.json"
    key.write_bytes(Signer.make("ed25519").pem)
    root.write_bytes(FakeSigstore().trusted_root)
    keyless = {"trusted_root": root, "identity": "a@b.example", "issuer": "https://i.example"}
    written = [
        {"repository": "team/scratch", "unsigned": True},
        {"repository": "team/*", "cosign": [key], "signed_as": ["quay.io/*"]},
        {"keyless": keyless, "signed_as": ["*"], "warn": True},
    ]
    table = signature_table(
        {"r.example": registry(verify=written, aliases=["alias.example"]), "quay.io": registry()}
    )
    assert table.rule("r.example", "team/scratch") is None
    assert table.rule("quay.io", "app") is None
    team, others = table.rule("r.example", "team/app"), table.rule("r.example", "app")
    assert team is not None
    assert others is not None
    assert (str(team), team.signed_as, team.warn) == ("the key team.pub", ("quay.io/*",), False)
    assert (str(others), others.signed_as, others.warn) == (
        "a@b.example, by the word of https://i.example",
        None,
        True,
    )
    assert table.names("r.example", "app") == ("r.example/app", "alias.example/app")
