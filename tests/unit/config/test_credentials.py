"""Names and passwords: where they are kept, and that they are not shown."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from entrepot.config.credentials import Credentials
from entrepot.config.frozen import Surroundings


def test_literal_password_is_never_in_a_repr() -> None:
    credentials = Credentials(username="somebody", password="hunter2")
    assert (credentials.username, credentials.password) == ("somebody", "hunter2")
    for text in (repr(credentials), str(credentials), credentials.model_dump_json()):
        assert "hunter2" not in text
    assert "somebody" not in repr(credentials)


def test_environment_is_read_at_every_access(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_USER", "somebody")
    monkeypatch.setenv("HUB_TOKEN", "old")
    credentials = Credentials(username_env="HUB_USER", password_env="HUB_TOKEN")
    assert (credentials.username, credentials.password) == ("somebody", "old")
    monkeypatch.setenv("HUB_TOKEN", "new")
    assert credentials.password == "new"


def test_file_is_read_at_every_access_without_its_newline(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    credentials = Credentials(username="u", password_file=token)
    assert credentials.password == "old"
    token.write_text("new\n")
    assert credentials.password == "new"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"username": "u"}, "one of password, password_env and password_file"),
        ({"password": "p"}, "one of username, username_env and username_file"),
        (
            {"username": "u", "password": "p", "password_env": "P"},
            "only one of password and password_env",
        ),
        ({"username": "u", "password": 12345}, "valid string"),
    ],
)
def test_each_of_the_two_comes_from_one_place(written: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Credentials.model_validate(written)


def test_missing_variable_and_missing_file_are_both_told(tmp_path: Path) -> None:
    around = Surroundings(tmp_path, {"EMPTY": ""})
    written = {"username_env": "EMPTY", "password_file": "token"}
    with pytest.raises(ValidationError) as caught:
        Credentials.model_validate(written, context=around)
    assert [error["loc"] for error in caught.value.errors()] == [
        ("username_env",),
        ("password_file",),
    ]
