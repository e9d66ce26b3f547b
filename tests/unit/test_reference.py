"""The pages of settings and of commands are what the code says, and all of it."""

from __future__ import annotations

from pathlib import Path

import commandsdoc
import configdoc
from entrepot.cli import main
from entrepot.config import Settings
from entrepot.config.mirrors import MirrorSettings

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_settings_is_current() -> None:
    assert (DOCS / "reference-config.md").read_text() == configdoc.page(), "run `make reference`"


def test_the_page_of_commands_is_current() -> None:
    assert (DOCS / "commands.md").read_text() == commandsdoc.page(), "run `make reference`"


def test_every_key_is_explained_and_no_other() -> None:
    told = configdoc.sections()
    assert configdoc.unexplained(told) == []
    less = {**told, "CacheSettings": configdoc.Section("cache", {"pfad": ("directory", "what")})}
    assert "CacheSettings.pfad" in configdoc.unexplained(less)
    assert "CacheSettings.path" in configdoc.unexplained(less)


def test_models_are_found_however_deep_they_lie() -> None:
    found = configdoc.models()
    assert found[0] is Settings
    assert MirrorSettings in found
    assert {"KeylessSettings", "BandwidthRule", "TlsSettings"} <= {one.__name__ for one in found}
    assert len(found) == len(set(found))


def test_defaults_are_as_people_write_them() -> None:
    page = configdoc.page()
    assert "| `memory` | size | `64MiB` |" in page
    assert "| `url` | url | needed |" in page
    assert "| `limits` | section | below |" in page
    assert "| `authority` | `true`, `false` | `false` |" in page


def test_commands_below_commands_are_told_by_their_whole_names() -> None:
    names = [name for name, _ in commandsdoc.commands()]
    assert {"pins check", "pins import", "pins lock", "serve"} <= set(names)
    assert "pins" not in names
    assert {name.split()[0] for name in names} == set(main.list_commands(None))  # type: ignore[arg-type]


def test_the_help_of_a_command_names_it_as_one_types_it() -> None:
    page = commandsdoc.page()
    assert "Usage: entrepot pins lock [OPTIONS]" in page
    assert "(#entrepot-pins-lock)" in page
