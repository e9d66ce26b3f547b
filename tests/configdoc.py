"""Writes docs/reference-config.md, every key of the settings: `make reference`.

Keys and defaults are those of the models; data/config-keys.yaml has what they mean.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from entrepot.config import Settings, default_path
from entrepot.config.frozen import Frozen
from entrepot.config.keys import written_keys

KEYS = Path(__file__).parent / "data" / "config-keys.yaml"

_HEAD = """\
# Settings, key by key

[`config/entrepot.yaml`](../config/entrepot.yaml) is the same with examples, as a file to copy
lines from; your own file holds only what differs from it. `make reference` writes this page from
the code, and a test compares it. `entrepot check-config FILE` finds mistakes.

Durations are `250ms`, `30s`, `10m`, `1h30m`, or a number of seconds; sizes `512MiB`, `100GiB`, or
a number of bytes; rates a size a second, as `2MiB/s`. Files are relative to the directory of the
file they stand in. In patterns * is anything.
"""


@dataclass(frozen=True, slots=True)
class Section:
    """The keys of one model as the page tells them; `at` is where the defaults are written."""

    title: str
    keys: Mapping[str, tuple[str, str]]
    more: str = ""
    at: Sequence[str | int] | None = None


def models(root: type[Frozen] = Settings) -> tuple[type[Frozen], ...]:
    """Every model that settings are made of, each once, in the order of the file."""
    return tuple(dict.fromkeys(_below(root)))


def sections(path: Path = KEYS) -> dict[str, Section]:
    """What there is to say, by the name of the model."""
    told = yaml.safe_load(path.read_text())
    return {
        name: Section(
            title=one["title"],
            keys={key: _row(words) for key, words in one["keys"].items()},
            more=one.get("more", ""),
            at=one.get("at"),
        )
        for name, one in told.items()
    }


def unexplained(told: Mapping[str, Section]) -> list[str]:
    """List what is in the models and not told, or told and in no model."""
    real = {f"{one.__name__}.{key}" for one in models() for key in written_keys(one)}
    said = {f"{name}.{key}" for name, section in told.items() for key in section.keys}
    return sorted(real ^ said)


def page() -> str:
    """The whole page; ValueError when a key has no explanation."""
    told = sections()
    if odd := unexplained(told):
        raise ValueError(f"{KEYS.name} lacks these, or has them too much: {', '.join(odd)}")
    written = yaml.safe_load(default_path().read_text(encoding="utf-8"))
    return _HEAD + "".join(_section(model, told[model.__name__], written) for model in models())


def _section(model: type[Frozen], told: Section, written: object) -> str:
    here = None if told.at is None else reduce(_at, told.at, written)
    rows = "".join(
        f"| `{key}` | {form} | {_default(model, key, here)} | {meaning} |\n"
        for key, (form, meaning) in told.keys.items()
    )
    more = f"{told.more}\n\n" if told.more else ""
    head = "| key | what is written | default | what it is |\n|---|---|---|---|\n"
    return f"\n## {told.title}\n\n{more}{head}{rows}"


def _default(model: type[Frozen], key: str, written: object) -> str:
    field = next(
        (one for name, one in model.model_fields.items() if key in {one.alias, name}), None
    )
    if field is None or (key in {"host", "port"} and "address" in model.also_written):
        return ""
    if field.is_required():
        return "needed"
    value: object = field.default
    if isinstance(value, BaseModel) and not (isinstance(written, dict) and _plain(written, key)):
        return "below"
    if isinstance(written, dict) and value is not PydanticUndefined:
        value = written[key]
    match value:
        case () | []:
            return "`[]`"
        case None:
            return "`null`"
        case "":
            return ""
        case bool():
            return f"`{str(value).lower()}`"
        case dict():
            return "`{}`" if key != "registries" else "those built in"
        case _:
            return f"`{value}`"


def _plain(written: Mapping[str, object], key: str) -> bool:
    return not isinstance(written[key], dict)


def _at(here: object, step: str | int) -> object:
    if isinstance(here, dict):
        return here[step]
    assert isinstance(here, list)
    assert isinstance(step, int)
    return here[step]


def _row(words: Sequence[str]) -> tuple[str, str]:
    *form, meaning = words
    return ", ".join(form), meaning


def _below(model: type[Frozen]) -> Iterator[type[Frozen]]:
    yield model
    for field in model.model_fields.values():
        for inner in _inside(field.annotation):
            yield from _below(inner)


def _inside(annotation: object) -> Iterator[type[Frozen]]:
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        yield annotation
    for argument in get_args(annotation):
        yield from _inside(argument)


if __name__ == "__main__":
    sys.stdout.write(page())
