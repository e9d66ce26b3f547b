"""From files to settings, or to the list of everything that is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from entrepot.config.consistency import find_contradictions
from entrepot.config.document import (
    Document,
    document_without_text,
    read_document,
    read_sections,
)
from entrepot.config.frozen import Surroundings
from entrepot.config.keys import keys_at
from entrepot.config.layering import Layers
from entrepot.config.problems import ConfigError, Place, Problem, nearest, write_place
from entrepot.config.settings import Settings

SYSTEM_FILE = Path("/etc/entrepot/entrepot.yaml")

_WHEREABOUTS = frozenset({"admin", "cache"})
_EXPECTED = {
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "dict_type": "should be a mapping, lines of `key: value`",
    "float_type": "should be a number",
    "int_parsing": "should be a whole number",
    "int_type": "should be a whole number",
    "missing": "is missing",
    "model_attributes_type": "should be a mapping, lines of `key: value`",
    "model_type": "should be a mapping, lines of `key: value`",
    "path_type": "should be the path of a file",
    "string_type": "should be text (put it in quotes)",
    "string_too_short": "must not be empty",
    "tuple_type": "should be a list, lines of `- item`",
}


def load_settings(
    path: Path | None = None,
    *,
    preset: str | None = None,
    overrides: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    secrets: bool = True,
) -> Settings:
    """Read the settings, or raise one ConfigError with every mistake there is.

    The embedded defaults lie at the bottom, then the preset, then the file, then `overrides`
    (the shape of the file, one level merged: {"cache": {"path": Path("x")}}). Without a path the
    system's file is read if it exists, over the preset too. A relative path inside a file is
    relative to that file's directory, a `Path` inside `overrides` to the working directory. Without
    `secrets`, variables and files that hold secrets need not be there. Reads the disk: call it
    before the event loop starts, or in a thread.
    """
    layers, path = _layers(path, preset)
    _lay_overrides(layers, overrides)
    directory = Path.cwd() if path is None else path.absolute().parent
    variables = os.environ if environment is None else environment
    return _settle(layers, Surroundings(directory, variables, secrets))


def load_whereabouts(
    path: Path | None = None,
    *,
    preset: str | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Read where the server listens for commands, and where its cache is, and nothing else.

    The rest is as if nobody had written it. For a server that goes on while its file is bad: only
    mistakes in `admin` and `cache.path` are raised, and a file that cannot be read at all.
    """
    layers, path = _layers(path, preset, _read_whereabouts)
    _lay_overrides(layers, overrides)
    cache = layers.data.get("cache")
    known: dict[str, object] = {key: layers.data[key] for key in ("admin",) if key in layers.data}
    if isinstance(cache, Mapping) and "path" in cache:
        known["cache"] = {"path": cache["path"]}
    directory = Path.cwd() if path is None else path.absolute().parent
    around = Surroundings(directory, os.environ, secrets=False)
    try:
        return Settings.model_validate(known, context=around)
    except ValidationError as error:
        raise ConfigError(list(_form_problems(layers, error))) from error


def _lay_overrides(layers: Layers, overrides: Mapping[str, object] | None) -> None:
    if overrides:
        layers.lay(document_without_text("the command line", _absolute(overrides)))


def written_registry(
    name: str, path: Path | None = None, preset: str | None = None
) -> Mapping[str, object]:
    """Give one registry as the files write it, secrets and all; ConfigError as for the settings."""
    registries = _layers(path, preset)[0].data.get("registries")
    found = registries.get(name) if isinstance(registries, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _layers(
    path: Path | None, preset: str | None, read_own: Callable[[Path], Document] | None = None
) -> tuple[Layers, Path | None]:
    """Lay the files over each other, and tell which one was the user's."""
    layers = Layers()
    layers.lay(_read(default_path()))
    if preset is not None:
        layers.lay(_read(preset_path(preset)))
    if path is None and SYSTEM_FILE.exists():
        path = SYSTEM_FILE
    if path is not None:
        layers.lay((read_own or _read)(path))
    return layers, path


def _absolute(overrides: Mapping[str, object]) -> dict[str, object]:
    return {
        key: _absolute(value)
        if isinstance(value, Mapping)
        else (str(value.absolute()) if isinstance(value, Path) else value)
        for key, value in overrides.items()
    }


def default_path() -> Path:
    """Give the embedded `entrepot.yaml`, which explains every key."""
    return Path(str(files("entrepot_defaults"))) / "entrepot.yaml"


def preset_path(name: str) -> Path:
    """Give the file of a preset such as "china"; ConfigError when there is none of that name."""
    directory = Path(str(files("entrepot_defaults"))) / "presets"
    known = sorted(path.stem for path in directory.glob("*.yaml"))
    if name not in known:
        message = f"there is no preset of this name, only {', '.join(known)}"
        raise ConfigError([Problem("preset", 0, name, message, suggestion=nearest(name, known))])
    return directory / f"{name}.yaml"


def _read(path: Path) -> Document:
    return read_document(str(path), _text(path))


def _read_whereabouts(path: Path) -> Document:
    return read_sections(str(path), _text(path), _WHEREABOUTS)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError([Problem(str(path), 0, "", f"cannot be read: {reason}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), 0, "", "is not UTF-8 text")]) from error


def _settle(layers: Layers, around: Surroundings) -> Settings:
    problems = list(layers.problems)
    settings = None
    try:
        settings = Settings.model_validate(layers.data, context=around)
    except ValidationError as error:
        problems.extend(_form_problems(layers, error))
    problems.extend(find_contradictions(layers))
    if settings is None or problems:
        in_order = sorted(problems, key=lambda p: (layers.names.index(p.file), p.line))
        raise ConfigError(list(dict.fromkeys(in_order)))
    return settings


def _form_problems(layers: Layers, error: ValidationError) -> Iterator[Problem]:
    details = error.errors(include_url=False, include_input=False)
    misspelt = {
        (*place[:-1], _nearest_key(place))
        for place in (_place(detail) for detail in details if detail["type"] == "extra_forbidden")
    }
    for detail in details:
        place = _place(detail)
        if detail["type"] == "extra_forbidden":
            file, line = layers.origin(place)
            suggestion = _nearest_key(place)
            text = write_place(place)
            yield Problem(file, line, text, "unknown key", suggestion=suggestion)
        elif detail["type"] == "missing":
            if place not in misspelt:
                file, line = layers.origin(place)
                yield Problem(file, line, write_place(place), "is missing")
        else:
            message, choices = _explain(detail)
            problem = layers.problem(layers.known(place), message, choices=choices)
            # The value beside a wrong key is not what is wrong.
            yield replace(problem, value="") if detail["loc"][-1] == "[key]" else problem


def _place(detail: ErrorDetails) -> Place:
    """Take out what pydantic adds to mark an error in a mapping's key."""
    return tuple(part for part in detail["loc"] if part != "[key]")


def _nearest_key(place: Place) -> str:
    return nearest(str(place[-1]), keys_at(Settings, place[:-1]))


def _explain(detail: ErrorDetails) -> tuple[str, tuple[str, ...]]:
    """Say in plain words what was expected, and the choices if there are but a few."""
    context = detail.get("ctx", {})
    if detail["type"] == "value_error":
        return str(context["error"]), ()
    if detail["type"] == "literal_error":
        expected = str(context["expected"])
        choices = tuple(part for part in expected.split("'")[1::2])
        return f"should be one of {', '.join(choices)}", choices
    return _EXPECTED.get(detail["type"], detail["msg"]), ()
