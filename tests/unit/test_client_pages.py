"""docs/clients has a page for every client, and in it what the generator says."""

from __future__ import annotations

from pathlib import Path

import pytest

from clientpages import PAGES, commands, filled
from entrepot.setup.client import CLIENTS
from entrepot.setup.doctor import PARTS
from entrepot.setup.script import SHELL

README = PAGES.parents[1] / "README.md"


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: str(page.name))
def test_the_blocks_are_what_the_commands_print(page: Path) -> None:
    text = page.read_text()
    assert text == filled(text), "run `make pages`"
    assert text.count("\n```\n") == 2 * text.count("<!-- entrepot ") == 2 * len(commands(text))


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_has_its_page_with_the_one_line(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text()
    assert f"curl -fsSL http://10.0.0.5:5000/setup/{name}.sh | sh" in text
    assert any(one.startswith(f"setup {name} ") for one in commands(text))
    assert f"({name}.md)" in (PAGES / "README.md").read_text()


def test_the_readme_has_the_line_and_leads_to_the_pages() -> None:
    text = README.read_text()
    assert "curl -fsSL http://10.0.0.5:5000/setup/containerd.sh | sh" in text
    assert "curl -fsSL http://10.0.0.5:5000/setup/node-doctor.sh | sh" in text
    assert "(docs/clients/README.md)" in text


def test_every_finding_of_the_doctor_is_explained() -> None:
    script = "".join(SHELL[name] for name in PARTS)
    named = {line.split("found ", 1)[1].split()[0] for line in _calls(script)}
    text = (PAGES / "node-doctor.md").read_text()
    names = {name.replace('"$1-ignores"', "k3s-ignores") for name in named}
    assert {name for name in names if f"| `{name}` |" not in text} == set()
    assert len(names) > 25


def _calls(script: str) -> list[str]:
    lines = (line.split("#")[0].strip() for line in script.splitlines())
    return [one for one in lines if "found " in one and "found()" not in one and "say" not in one]


def test_an_empty_block_is_filled_and_ends_where_it_ends() -> None:
    empty = "<!-- entrepot setup podman m --registry quay.io -->\n```\n```\n"
    one, between, two = filled(f"{empty}and\n{empty}").partition("and\n")
    assert one == two
    assert between
    assert 'prefix = "quay.io"' in one


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(ValueError, match="not the address"):
        filled("<!-- entrepot setup containerd a;b -->\n```\n```\n")
