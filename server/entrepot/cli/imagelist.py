"""Names of images in files that people have: lists, Kubernetes manifests, charts, compose files."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import yaml

from entrepot.cli.wording import trouble

_MOST_BYTES = 64 << 20
_MOST_NODES = 2_000_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_VARIABLE = re.compile(r"\$(?:\$|\{([A-Za-z_]\w*)(?:(:?[-?])([^{}]*))?\}|([A-Za-z_]\w*))")


@dataclass(slots=True)
class Listed:
    """What a file names, each once; `skipped` are what cannot be fetched, and why."""

    file: str
    images: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Take in a name as it stands in the file; without a tag, `latest` is meant."""
        name = text.strip()
        if not _NAME.fullmatch(name):
            self.skip(text, "is no name of an image")
            return
        if ":" not in name.rpartition("/")[2] and "@" not in name:
            name = f"{name}:latest"
        if name not in self.images:
            self.images.append(name)

    def skip(self, text: str, why: str) -> None:
        """Leave something out."""
        if (text[:100], why) not in self.skipped:
            self.skipped.append((text[:100], why))


def read_images(file: Path) -> Listed:
    """Read a file, or standard input for "-"; ClickException when it cannot be read."""
    try:
        if str(file) == "-":
            text = sys.stdin.read(_MOST_BYTES + 1)
        else:
            with file.open(encoding="utf-8") as lines:
                text = lines.read(_MOST_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file}: {trouble(error)}") from error
    if len(text) > _MOST_BYTES:
        raise click.ClickException(f"{file} is too long for a list of images")
    listed = Listed(str(file))
    try:
        list_images(text, listed)
    except (yaml.YAMLError, RecursionError) as error:
        raise click.ClickException(f"{file} cannot be understood: {error}") from error
    return listed


def list_images(text: str, listed: Listed) -> None:
    """Find out what kind of text it is, and take the images in; YAMLError."""
    if _is_plain(text):
        for line in text.splitlines():
            if name := line.partition("#")[0].strip():
                listed.add(name)
        return
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for document in yaml.load_all(text, loader):
        if isinstance(document, dict) and isinstance(document.get("services"), dict):
            _compose(document["services"], listed)
        else:
            for image in _named(document):
                listed.add(image)


def _is_plain(text: str) -> bool:
    """Whether each line is one name: a YAML mapping has a space, or nothing, after its colons."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return all(_NAME.fullmatch(line) and not line.endswith(":") for line in lines if line)


def _named(document: object) -> Iterator[str]:
    """Walk through anything; aliases, which may mean the same over and over, are walked once."""
    left, seen, count = [document], set[int](), 0
    while left:
        node = left.pop()
        count += 1
        if count > _MOST_NODES:
            raise RecursionError("it goes on and on")
        if isinstance(node, list | dict):
            if id(node) in seen:
                continue
            seen.add(id(node))
        if isinstance(node, dict):
            yield from _image(node)
            left.extend(reversed(list(node.values())))
        elif isinstance(node, list):
            if all(isinstance(each, str) for each in node) and node is document:
                yield from node
            left.extend(reversed(node))


def _image(node: dict[object, object]) -> Iterator[str]:
    """Read `image: NAME` of a container, and `image: {reference: NAME}` of a volume."""
    told = node.get("image")
    if isinstance(told, dict):
        told = told.get("reference")
    if isinstance(told, str) and told:
        yield told


def _compose(services: dict[object, object], listed: Listed) -> None:
    for name, service in services.items():
        told = service.get("image") if isinstance(service, dict) else None
        if not isinstance(service, dict) or not isinstance(told, str):
            if isinstance(service, dict) and "build" in service:
                listed.skip(f"service {name}", "is built, not pulled")
            continue
        if "build" in service:
            listed.skip(told, f"is what service {name} is built as")
            continue
        filled = _filled(told)
        if filled is None:
            listed.skip(told, "has a variable with no default")
        else:
            listed.add(filled)


def _filled(text: str) -> str | None:
    """Put in the defaults of variables; None for one that has none: the environment is another."""
    lost = False

    def value(found: re.Match[str]) -> str:
        nonlocal lost
        if found[0] == "$$":
            return "$"
        if found[2] in {"-", ":-"}:
            return found[3]
        lost = True
        return ""

    filled = _VARIABLE.sub(value, text)
    return None if lost else filled
