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
from entrepot.cli.asking import Unusable
from entrepot.cli.choosing import Chosen, choose, is_offline, without_secrets
from entrepot.config import SYSTEM_FILE, ConfigError, Settings
from entrepot.log import configure_log
from entrepot.survey.wanted import Wanted, meant_instead, names_of
from entrepot.trust.pinfile import PinsInvalid
from entrepot.trust.pinloading import load_pins, shipped_pins
from entrepot.trust.pins import Pins
from entrepot.trust.policy import PolicyTable

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Surveying:
    """What a command goes by; `chosen` tells also the files that the settings are from.

    `pins` are those of the settings, and above them those that the command was given.
    """

    chosen: Chosen
    pins: Pins

    @property
    def settings(self) -> Settings:
        """What the files say."""
        return self.chosen.settings

    @property
    def config(self) -> Path | None:
        """The file, if it is not the system's."""
        return self.chosen.config

    @property
    def preset(self) -> str | None:
        """The preset below it."""
        return self.chosen.preset

    @property
    def policies(self) -> PolicyTable:
        """What is asked of an answer, for each registry or repository."""
        return self.settings.trust.table(self.settings.canonical)

    def instead(self, image: Wanted) -> str:
        """Write what else may have been meant by an image that is not to be had."""
        return meant_instead(image, names_of(self.settings), self.pins)

    def check_online(self) -> None:
        """Misused when the settings or the server that runs with them let nothing out.

        Also when secrets that mirrors want are not within reach.
        """
        if self.settings.offline:
            raise Misused("the settings say `offline: true`: no mirror may be asked")
        if self.chosen.mistake is not None:
            raise Unusable(str(self.chosen.mistake))
        if is_offline(self.chosen):
            raise Misused(
                "the server that runs here is offline: no mirror may be asked, by a command either."
                " `entrepot offline off` ends that"
            )

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
        help="The configuration file of the server; without it and --preset, those of the server"
        " that runs here.",
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
        try:
            chosen = choose(config, preset, cache, without_secrets)
            pins = load_pins(pin_files, *chosen.settings.trust.ranks(shipped_pins()))
        except (ConfigError, PinsInvalid) as error:
            click.echo(str(error), err=True)
            sys.exit(2)
        configure_log("text", "error", lasting=False)
        command(Surveying(chosen, pins), **options)

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
