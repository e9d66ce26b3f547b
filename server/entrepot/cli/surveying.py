"""The settings and pins of commands that ask mirrors themselves, whether a server runs or not."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from entrepot.cli.adminclient import Misused
from entrepot.config import SYSTEM_FILE, ConfigError, Settings, load_settings
from entrepot.log import configure_log
from entrepot.trust.pinfile import PinsInvalid
from entrepot.trust.pinloading import load_pins, shipped_pins
from entrepot.trust.pins import Pins
from entrepot.trust.policy import PolicyTable

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Surveying:
    """What a command goes by; `config` and `preset` are the files that `settings` are from.

    `pins` are those of the settings, and above them those that the command was given.
    """

    settings: Settings
    pins: Pins
    config: Path | None
    preset: str | None

    @property
    def policies(self) -> PolicyTable:
        """What is asked of an answer, for each registry or repository."""
        return self.settings.trust.table(self.settings.canonical)

    def check_online(self) -> None:
        """Misused when the settings let nothing out."""
        if self.settings.offline:
            raise Misused("the settings say `offline: true`: no mirror may be asked")

    def tell_origin(self) -> None:
        """Tell that these are nobody's settings: a running server may have others."""
        if self.config is None and self.preset is None and not SYSTEM_FILE.exists():
            click.echo(
                "by the built-in settings; with --config FILE by those the server is started with",
                err=True,
            )


def surveys(command: F) -> F:
    """Give a command the options that say which settings and pins are meant, as `Surveying`."""

    @click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The configuration file of the server, if any.",
    )
    @click.option("--preset", metavar="NAME", help="Its preset, if any.")
    @click.option(
        "--cache",
        type=click.Path(path_type=Path, file_okay=False),
        help="The cache directory, instead of the one in the configuration.",
    )
    @click.option(
        "--pins",
        "pin_files",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        metavar="FILE",
        help="A file of pins or a lock file, which wins over those of the settings; may be given"
        " several times.",
    )
    @functools.wraps(command)
    def surveying(
        config: Path | None,
        preset: str | None,
        cache: Path | None,
        pin_files: Sequence[Path],
        **options: Any,
    ) -> None:
        overrides: dict[str, object] = {}
        if cache is not None:
            overrides["cache"] = {"path": cache.absolute()}
        try:
            settings = load_settings(config, preset=preset, overrides=overrides)
            pins = load_pins(pin_files, *settings.trust.ranks(shipped_pins()))
        except (ConfigError, PinsInvalid) as error:
            click.echo(str(error), err=True)
            sys.exit(2)
        configure_log("text", "error", lasting=False)
        command(Surveying(settings, pins, config, preset), **options)

    return surveying  # type: ignore[return-value]


def run_survey(survey: Coroutine[Any, Any, T]) -> T:
    """Run what asks mirrors; a file of the settings that is gone meanwhile is told."""
    try:
        return asyncio.run(survey)
    except OSError as error:
        raise click.ClickException(str(error)) from error


def tell_wait(mirror: str, wait_s: float) -> None:
    """Tell the person at the terminal why nothing happens."""
    click.echo(f"{mirror}: waiting {wait_s:.0f} s, as its limits want it", err=True)
