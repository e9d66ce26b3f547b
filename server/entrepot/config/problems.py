"""Mistakes in a settings file, told so that they can be mended in one go."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

from entrepot.errors import EntrepotError

# The way from the top of the file to a value: keys of mappings and indexes of lists.
Place: TypeAlias = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USER_INFO = re.compile(r"//.*@", re.DOTALL)  # up to the last @: a password may hold anything
_SECRET_PLACES = frozenset({"credentials", "headers", "proxy_credentials", "token_env"})
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `line` counts from 1, 0 where there is none; `value` is never a secret."""

    file: str
    line: int
    path: str
    message: str
    value: str = ""
    suggestion: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        extra = [f"value {self.value}"] if self.value else []
        if self.suggestion:
            extra.append(f"did you mean {self.suggestion}?")
        parts = [where, self.path, self.message] if self.path else [where, self.message]
        return ": ".join(parts) + (f" ({'; '.join(extra)})" if extra else "")


class ConfigError(EntrepotError):
    """The settings cannot be used; `problems` has every mistake, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def write_place(place: Place) -> str:
    """Write a place as `registries["docker.io"].mirrors[0].url`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text


def show_value(place: Place, value: object) -> str:
    """Quote a plain value for a message; nothing for mappings, lists, and secret places."""
    if _SECRET_PLACES.intersection(place) or not isinstance(value, str | int | float):
        return ""
    text = json.dumps(value, ensure_ascii=False)
    text = _USER_INFO.sub("//***@", text)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def nearest(word: str, known: Iterable[str]) -> str:
    """Give the known word most like this one, or nothing when none is like it."""
    matches = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return matches[0] if matches else ""
