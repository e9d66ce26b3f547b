"""Platforms as people write them: linux/arm64, arm64, linux/arm/v7."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

_OTHER_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}

F = TypeVar("F", bound=Callable[..., Any])


def platform_option(command: F) -> F:
    """Give a command `--platform`, once or more, with commas between; as `platforms`."""
    return click.option(
        "--platform",
        "platforms",
        metavar="OS/ARCH,…",
        multiple=True,
        callback=lambda _context, _parameter, told: parse_platforms(told),
        help="As linux/arm64,linux/amd64.",
    )(command)


def parse_platforms(told: Sequence[str]) -> tuple[str, ...]:
    """Read them, each once; BadParameter for what is none."""
    every = [part.strip() for text in told for part in text.split(",")]
    return tuple(dict.fromkeys(_platform(part) for part in every if part))


def matches(wanted: str, platform: str) -> bool:
    """Whether a platform is meant: linux/arm64 means linux/arm64/v8 too."""
    return platform == wanted or platform.startswith(f"{wanted}/")


def _platform(text: str) -> str:
    parts = text.lower().split("/")
    if len(parts) == 1:
        parts = ["linux", *parts]
    parts[1] = _OTHER_NAMES.get(parts[1], parts[1])
    if len(parts) > 3 or not all(part.isalnum() for part in parts):
        raise click.BadParameter(f"{text!r} is no platform: write linux/amd64 or linux/arm/v7")
    return "/".join(parts)
