"""Which keys may stand where."""

import pytest

from entrepot.config.credentials import Credentials
from entrepot.config.keys import keys_at, written_keys
from entrepot.config.problems import Place
from entrepot.config.settings import LogSettings, RegistrySettings, Settings


def test_keys_are_named_as_a_file_writes_them() -> None:
    assert written_keys(LogSettings) == ("format", "level")
    assert "password" in written_keys(Credentials)
    assert "password_text" not in written_keys(Credentials)


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ((), "registries"),
        (("cache",), "path"),
        (("listen", 0), "address"),
        (("admin",), "port"),
        (("registries", "docker.io"), "aliases"),
        (("registries", "docker.io", "mirrors", 3), "except"),
        (("registries", "docker.io", "mirrors", 3, "credentials"), "username_env"),
        (("registries", "docker.io", "mirrors", 3, "tags", 0), "replace"),
    ],
)
def test_keys_are_found_at_a_place(place: Place, key: str) -> None:
    assert key in keys_at(Settings, place)


@pytest.mark.parametrize(
    "place",
    [
        ("hosts",),
        ("registries",),
        ("registries", "docker.io", "mirrors", 0, "table"),
        ("log", "level"),
        ("log", "level", "deeper"),
        ("nonsense", "deeper"),
    ],
    ids=str,
)
def test_no_keys_where_any_key_goes_or_none_does(place: Place) -> None:
    assert keys_at(Settings, place) == ()


def test_root_can_be_any_model() -> None:
    assert "url" in keys_at(RegistrySettings, ("mirrors", 0))
