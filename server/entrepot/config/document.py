"""A YAML text as plain data that still knows its lines.

Read with fewer types than YAML 1.1 has: only null, true, false and decimal numbers are not text,
so that `on`, `5000:50` and `2026-01-01` stay what was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import yaml
from yaml.reader import ReaderError

from entrepot.config.problems import ConfigError, Place, Problem, write_place

_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"
_INT = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_TEXT = "tag:yaml.org,2002:str"


_TOP_KEY = re.compile(r"[\"']?([A-Za-z_]+)[\"']?\s*:(?:\s|$)")
# What the first character of a line may be that still belongs to the key above it.
_GOES_ON = frozenset({"", " ", "\t", "#", "-", "]", "}"})


class _Loader(yaml.SafeLoader):
    """Composes nodes only; the resolvers below are the only implicit types."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own hook


for _tag, _expression, _first in (
    (_NULL, r"~|null|Null|NULL|", [*"~nN", ""]),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    (_INT, r"[-+]?[0-9]{1,18}", [*"-+0123456789"]),
    (_FLOAT, r"[-+]?[0-9]{1,18}\.[0-9]{0,18}", [*"-+0123456789"]),
):
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_expression})\\Z"), _first)


_PARSERS: dict[str, Callable[[str], object]] = {
    _NULL: lambda _text: None,
    _BOOL: lambda text: {"true": True, "false": False}[text.lower()],
    _INT: int,
    _FLOAT: float,
    _TEXT: str,
}


@dataclass(frozen=True, slots=True)
class Document:
    """One settings file: its data, the line of each place, and what is wrong with its form."""

    name: str
    data: dict[str, object]
    lines: dict[Place, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read_document(name: str, text: str) -> Document:
    """Read one file's text; ConfigError when it is not YAML, `problems` for smaller mistakes."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_problem(name, error)]) from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError([Problem(name, line, "", f"not YAML: {error.reason}")]) from error
    if node is None or node.tag == _NULL:
        return Document(name, {})
    if not isinstance(node, yaml.MappingNode):
        message = "settings are lines of `key: value`"
        raise ConfigError([Problem(name, node.start_mark.line + 1, "", message)])
    reader = _Reader(name)
    data = reader.mapping(node, ())
    return Document(name, data, reader.lines, tuple(reader.problems))


def read_sections(name: str, text: str, keys: Collection[str]) -> Document:
    """Read a file as `read_document` does; only the lines under `keys` when it is not YAML.

    ConfigError when they are not either, or when no line of the file begins with a key.
    """
    try:
        return read_document(name, text)
    except ConfigError:
        lines = text.splitlines()
        if lines and not any(_TOP_KEY.match(line) for line in lines):
            raise
        return read_document(name, "\n".join(_under(lines, keys)))


def _under(lines: Iterable[str], keys: Collection[str]) -> Iterator[str]:
    """Leave the other lines empty, so that those that stay have their numbers."""
    wanted = False
    for line in lines:
        if line[:1] not in _GOES_ON:
            key = _TOP_KEY.match(line)
            wanted = key is not None and key[1] in keys
        yield line if wanted else ""


def document_without_text(name: str, data: Mapping[str, object]) -> Document:
    """Make a document of settings that stand in no file; every line is 0."""
    return Document(name, dict(data), dict.fromkeys(_places(data, ()), 0))


def _places(data: object, place: Place) -> Iterator[Place]:
    yield place
    inner: Iterable[tuple[str | int, object]] = ()
    if isinstance(data, Mapping):
        inner = data.items()
    elif isinstance(data, list | tuple):
        inner = enumerate(data)
    for key, value in inner:
        yield from _places(value, (*place, key))


def _syntax_problem(name: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = (error.problem or "cannot be read").replace("found character '\\t'", "a tab")
    if "alias" in what:  # the name in it may be a password that begins with *
        what = "a value that begins with * needs quotes"
    context = f" {error.context}" if error.context else ""
    return Problem(name, mark.line + 1 if mark else 0, "", f"not YAML: {what}{context}")


class _Reader:
    """Turns nodes into data, noting lines and mistakes on the way."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Place, int] = {}
        self.problems: list[Problem] = []
        self._open: set[int] = set()

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, object]:
        data: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._complain(place, line, "a key must be plain text")
                continue
            key = str(key_node.value)
            inner = (*place, key)
            if key in data:
                first = self.lines[inner]
                self._complain(inner, line, f"is given twice, first on line {first}")
                continue
            self.lines[inner] = line
            data[key] = self.value(value_node, inner)
        return data

    def value(self, node: yaml.Node, place: Place) -> object:
        if id(node) in self._open:
            self._complain(place, node.start_mark.line + 1, "contains itself")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, place)
            if isinstance(node, yaml.SequenceNode):
                return self._sequence(node, place)
            return self._scalar(node, place)
        finally:
            self._open.discard(id(node))

    def _sequence(self, node: yaml.SequenceNode, place: Place) -> list[object]:
        items = []
        for index, item in enumerate(node.value):
            self.lines[(*place, index)] = item.start_mark.line + 1
            items.append(self.value(item, (*place, index)))
        return items

    def _scalar(self, node: yaml.Node, place: Place) -> object:
        text = str(node.value)
        parse = _PARSERS.get(node.tag)
        try:
            if parse is not None:
                return parse(text)
        except (KeyError, ValueError):
            pass
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        # Any other tag may be a password that begins with an exclamation mark.
        told = node.tag in _PARSERS or kind.startswith("python/")
        message = f"cannot be read as {kind}" if told else "a value that begins with ! needs quotes"
        self._complain(place, node.start_mark.line + 1, message)
        return None

    def _complain(self, place: Place, line: int, message: str) -> None:
        self.problems.append(Problem(self.name, line, write_place(place), message))
