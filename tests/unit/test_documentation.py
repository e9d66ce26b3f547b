"""The pages lead to what exists, show commands that exist, and say it in two languages."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import yaml

from documentation import ROOT, anchors, blocks, commands, links, pages, spans, uncommented
from entrepot.cli import main
from entrepot.config import Settings

TRANSLATED = ("README", "docs/quickstart")
SAMPLE = """\
# The page: a `title`

See [there](other.md#part-two) and `[not](this.md)`.

    entrepot ls --json   # all of them
    entrepot gc

```
entrepot rm x | sh
```
"""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page.read_text()):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target.read_text()), link


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_command_shown_exists_with_its_options(page: Path) -> None:
    for words in commands(page.read_text()):
        assert unknown(words) == [], " ".join(words)


def unknown(words: list[str]) -> list[str]:
    """What the command line does not know of these words."""
    command: click.Command = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        word = rest.pop(0)
        if word.isupper() or word == "COMMAND":
            return []
        found = [command.get_command(click.Context(command), one) for one in word.split("|")]
        if None in found:
            return [word]
        command = next(one for one in found if one is not None)
    known = {option for one in command.params for option in one.opts} | {
        "--help",
        "--version",
        "-h",
    }
    asked = {word.partition("=")[0] for word in rest if word.startswith("-") and word != "-"}
    return sorted(asked - known)


@pytest.mark.parametrize("page", ["docs/README.md", "docs/clients/README.md"])
def test_an_index_has_every_page_beside_it(page: str) -> None:
    path = ROOT / page
    text = path.read_text()
    beside = {one.name for one in path.parent.glob("*.md")} - {"README.md"}
    assert {one for one in beside if f"({one})" not in text and ".zh-CN" not in one} == set()


@pytest.mark.parametrize("stem", TRANSLATED)
def test_the_chinese_page_has_the_same_code_and_leads_to_the_same_pages(stem: str) -> None:
    english, chinese = ((ROOT / f"{stem}{end}.md").read_text() for end in ("", ".zh-CN"))
    assert [uncommented(one) for one in blocks(chinese)] == [
        uncommented(one) for one in blocks(english)
    ]
    assert sorted(spans(chinese)) == sorted(spans(english))
    assert chinese.count("\n## ") == english.count("\n## ")
    switch = {f"{Path(stem).name}.zh-CN.md", f"{Path(stem).name}.md"}
    theirs = [one.replace(".zh-CN", "") for one in links(chinese) if one not in switch]
    ours = [one.replace(".zh-CN", "") for one in links(english) if one not in switch]
    assert sorted(theirs) == sorted(ours)
    assert switch <= {*links(english), *links(chinese)}


@pytest.mark.parametrize("page", ["README.md", "docs/migration.md", "docs/carry.md"])
def test_settings_shown_are_settings(page: str) -> None:
    shown = [
        block
        for block in blocks((ROOT / page).read_text())
        if block.lstrip().startswith(("cache:", "listen:", "auth:", "registries:"))
    ]
    assert shown
    for block in shown:
        _ = Settings.model_validate(yaml.safe_load(block))


def test_what_is_read_of_a_page() -> None:
    assert links(SAMPLE) == ["other.md#part-two"]
    assert anchors(SAMPLE) == {"the-page-a-title"}
    assert [uncommented(one).split("\n")[0].strip() for one in blocks(SAMPLE)] == [
        "entrepot ls --json",
        "entrepot rm x | sh",
    ]
    assert spans(SAMPLE) == ["title", "[not](this.md)"]
    assert list(commands(SAMPLE)) == [["ls", "--json"], ["gc"], ["rm", "x"]]


@pytest.mark.parametrize(
    ("words", "odd"),
    [
        (["ls", "--json"], []),
        (["ls", "--jason"], ["--jason"]),
        (["list"], ["list"]),
        (["pins", "import|lock|check"], []),
        (["pins", "import|look"], ["import|look"]),
        (["export", "-o", "FILE"], []),
    ],
)
def test_words_that_do_not_exist_are_found(words: list[str], odd: list[str]) -> None:
    assert unknown(words) == odd
