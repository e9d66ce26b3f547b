from __future__ import annotations

import os
from pathlib import Path

import pytest

from entrepot.errors import StoreError
from entrepot.store.secretfile import keep_secret


def test_a_secret_is_made_once_and_is_ours_alone(tmp_path: Path) -> None:
    (tmp_path / "token.new").write_text("half of one, left by a crash")
    secret = keep_secret(tmp_path / "token")
    assert len(secret) >= 32
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert keep_secret(tmp_path / "token") == secret
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_two_secrets_differ(tmp_path: Path) -> None:
    assert keep_secret(tmp_path / "a") != keep_secret(tmp_path / "b")


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    keep_secret(tmp_path / "token")
    (tmp_path / "token").chmod(0o604)
    with pytest.raises(StoreError, match="chmod 600"):
        keep_secret(tmp_path / "token")


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("x" * 32)
    (tmp_path / "token").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="not a regular file"):
        keep_secret(tmp_path / "token")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_somebody_elses_is_refused(tmp_path: Path) -> None:
    keep_secret(tmp_path / "token")
    os.chown(tmp_path / "token", 65534, 65534)
    with pytest.raises(StoreError, match="belongs to user"):
        keep_secret(tmp_path / "token")
