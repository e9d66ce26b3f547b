"""What clients are held to, as the file writes it."""

from __future__ import annotations

from pathlib import Path

import bcrypt
import pytest
import trustme
from pydantic import ValidationError

from entrepot.config import ConfigError, load_settings
from entrepot.config.clients import AdminSettings, ClientSettings, ListenSettings

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
MIRRORS = "mirrors: ['http://127.0.0.1:9']"


def certificate(directory: Path) -> None:
    """c.pem, its key k.pem, and ca.pem, which signed it."""
    authority = trustme.CA()
    one = authority.issue_cert("127.0.0.1", "localhost")
    (directory / "c.pem").write_bytes(b"".join(part.bytes() for part in one.cert_chain_pems))
    (directory / "k.pem").write_bytes(one.private_key_pem.bytes())
    (directory / "ca.pem").write_bytes(authority.cert_pem.bytes())


def problems(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "entrepot.yaml"
    file.write_text(text)
    try:
        load_settings(file, environment={})
    except ConfigError as error:
        return [str(one).removeprefix(f"{file}:") for one in error.problems]
    return []


def test_patience_grows_with_what_is_to_be_read() -> None:
    settings = ClientSettings.model_validate({"stall": "10s", "slowest": "1KiB"})
    assert settings.patience_s(0) == 10.0
    assert settings.patience_s(4096) == 14.0


def test_no_limit_for_one_address() -> None:
    settings = ClientSettings.model_validate({"connections_per_address": "none"})
    assert settings.connections_per_address is None


@pytest.mark.parametrize(
    "written", [{"connections": 0}, {"slowest": 0}, {"head": "0s"}, {"connections": "none"}]
)
def test_limits_that_let_nobody_in_are_refused(written: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ClientSettings.model_validate(written)


def test_a_listener_with_a_certificate() -> None:
    written = {"address": "0.0.0.0:5443", "tls": {"certificate": "a.pem", "key": "a.key"}}
    listen = ListenSettings.model_validate(written)
    assert str(listen) == "0.0.0.0:5443"
    assert listen.tls is not None
    assert listen.tls.client_ca is None


def test_an_admin_token_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("from a file\n")
    monkeypatch.setenv("TOKEN", "from outside")
    where = {"address": "127.0.0.1:0"}
    assert AdminSettings.model_validate(where).token() is None
    told = AdminSettings.model_validate({**where, "token_file": str(tmp_path / "token")})
    assert told.token() == "from a file"
    assert AdminSettings.model_validate({**where, "token_env": "TOKEN"}).token() == "from outside"
    with pytest.raises(ValidationError, match="only one"):
        AdminSettings.model_validate({**where, "token_env": "TOKEN", "token_file": "x"})


@pytest.mark.rule("P27")
@pytest.mark.parametrize(
    "text",
    [f"registries: {{r.example: {{private: true, {MIRRORS}}}}}", "auth: {required: true}"],
)
def test_what_nobody_could_prove_is_refused(text: str, tmp_path: Path) -> None:
    (told,) = problems(tmp_path, text)
    assert "no client can say who it is" in told


def test_a_password_file_or_a_client_certificate_will_do(tmp_path: Path) -> None:
    certificate(tmp_path)
    (tmp_path / "users").write_text(f"alice:{HASH}\n")
    private = f"registries: {{r.example: {{private: true, {MIRRORS}}}}}\n"
    assert problems(tmp_path, private + "auth: {htpasswd: users}") == []
    tls = "{certificate: c.pem, key: k.pem, client_ca: ca.pem}"
    listen = f"listen: [{{address: '127.0.0.1:5443', tls: {tls}}}]"
    assert problems(tmp_path, private + listen) == []


def test_listeners_with_a_certificate_do_not_share_an_address(tmp_path: Path) -> None:
    certificate(tmp_path)
    tls = "{certificate: c.pem, key: k.pem}"
    text = f"listen: ['127.0.0.1:5443', {{address: '127.0.0.1:5443', tls: {tls}}}]"
    (told,) = problems(tmp_path, text)
    assert "taken already" in told


def test_a_missing_password_file_is_a_mistake(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, "auth: {htpasswd: nowhere}")
    assert "no such file" in told


def test_a_password_file_of_another_kind_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("alice:hunter2\n")
    (told,) = problems(tmp_path, "auth: {htpasswd: users}")
    assert "htpasswd -B" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("wrong", ["c.pem", "k.pem", "ca.pem"])
def test_files_that_do_not_fit_are_a_mistake(wrong: str, tmp_path: Path) -> None:
    certificate(tmp_path)
    (tmp_path / wrong).write_text("not PEM")
    tls = "{certificate: c.pem, key: k.pem, client_ca: ca.pem}"
    (told,) = problems(tmp_path, f"listen: [{{address: '127.0.0.1:5443', tls: {tls}}}]")
    assert "PEM" in told


def test_a_key_of_another_certificate_is_a_mistake(tmp_path: Path) -> None:
    certificate(tmp_path)
    key = (tmp_path / "k.pem").read_bytes()
    certificate(tmp_path)
    (tmp_path / "k.pem").write_bytes(key)
    tls = "{certificate: c.pem, key: k.pem}"
    assert problems(tmp_path, f"listen: [{{address: '127.0.0.1:5443', tls: {tls}}}]")


@pytest.mark.parametrize(
    "text",
    [
        "admin: {address: '127.0.0.1:5001', token_env: hunter2}",
        "registries: {r: {mirrors: [{url: 'https://u:hun/ter2@x', credentials: {username: *hunter2",
        "registries: {r: {mirrors: [{url: 'https://u:hun/ter2@x:y'}]}}",
        "registries: {r: {mirrors: [{url: 'https://m', proxy: 'https://u:h@unter2@x/path'}]}}",
        "registries: {r: {mirrors: [{url: 'https://m', credentials: {password: !hunter2 }}]}}",
        "registries: {r: {mirrors: [{url: 'https://m', credentials: {password: hunter2}}]}}",
        "registries: {r: {mirrors: [{url: 'https://m', headers: {X: 'hunter2é'}}]}}",
    ],
)
def test_no_mistake_tells_a_password(text: str, tmp_path: Path) -> None:
    told = problems(tmp_path, text)
    assert told
    assert not [one for one in told if "unter2" in one or "ter2@" in one]
