"""Which settings a command goes by: those it is told, else those of the server that runs here."""

from __future__ import annotations

import http.client
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import click

from entrepot.cli.wording import count_text
from entrepot.config import (
    AdminSettings,
    ConfigError,
    Settings,
    load_settings,
    load_whereabouts,
)
from entrepot.config.origin import Origin

_PATIENCE_S = 2.0
_MOST_BYTES = 1 << 16
_LISTENING = "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


@dataclass(frozen=True, slots=True)
class Chosen:
    """The settings, and the files that they are from.

    With a `mistake` the files cannot be used as they are, here at least: then the settings are
    right but for secrets that are not within reach, or, if not `whole`, only tell where the server
    and its cache are.
    """

    settings: Settings
    config: Path | None
    preset: str | None
    mistake: ConfigError | None = None
    whole: bool = True

    def warn(self) -> None:
        """Tell in a line that the running server is asked though its file is bad."""
        if self.mistake is not None and not self.whole:
            warn_of(self.mistake)


Load: TypeAlias = Callable[[Path | None, str | None, Mapping[str, object]], Chosen]


def strictly(config: Path | None, preset: str | None, overrides: Mapping[str, object]) -> Chosen:
    """Load the settings as a server does; ConfigError."""
    return Chosen(load_settings(config, preset=preset, overrides=overrides), config, preset)


def without_secrets(
    config: Path | None, preset: str | None, overrides: Mapping[str, object]
) -> Chosen:
    """Load the settings, also where secrets are not within reach.

    ConfigError with every mistake, missing secrets last.
    """
    try:
        return strictly(config, preset, overrides)
    except ConfigError as error:
        every = error
    try:
        settings = load_settings(config, preset=preset, overrides=overrides, secrets=False)
    except ConfigError as error:
        secrets = [one for one in every.problems if one not in error.problems]
        raise ConfigError([*error.problems, *secrets]) from None
    return Chosen(settings, config, preset, every)


def leniently(config: Path | None, preset: str | None, overrides: Mapping[str, object]) -> Chosen:
    """Load what is right; ConfigError only where not even the server can be found by it.

    The server goes on with what it was started with, so a later mistake is no reason not to ask it.
    """
    try:
        return without_secrets(config, preset, overrides)
    except ConfigError as error:
        every = error
    try:
        settings = load_whereabouts(config, preset=preset, overrides=overrides)
    except ConfigError:
        raise every from None
    return Chosen(settings, config, preset, every, whole=False)


def warn_of(mistake: ConfigError) -> None:
    """Name the first of several mistakes, and what is done all the same."""
    first, *others = mistake.problems
    more = f" (and {count_text(len(others), 'mistake')} more)" if others else ""
    _tell(f"warning: {first}{more}; of this file only `admin` and `cache.path` are used")


def choose(
    config: Path | None, preset: str | None, cache: Path | None, load: Load = strictly
) -> Chosen:
    """Load what the options name; without --config and --preset, what the server here goes by.

    That is then told in a line. ConfigError when what is named has mistakes.
    """
    own = load(config, preset, cache_override(cache))
    if config is not None or preset is not None or own.settings.admin is None:
        return own
    origin = asked_origin(own.settings.admin)
    if origin is None or origin == Origin(None, None, own.settings.cache.path):
        return own
    if cache is not None and cache.absolute() != origin.cache:
        return own
    return adopted(origin, owners(own.settings.admin.port), load) or own


def cache_override(cache: Path | None) -> dict[str, object]:
    """Write what --cache means as settings that lie over the file."""
    return {} if cache is None else {"cache": {"path": cache.absolute()}}


def adopted(origin: Origin, users: frozenset[int], load: Load = strictly) -> Chosen | None:
    """Load what a server of these users goes by, and tell it; None when it cannot be had.

    Whoever listens where a server would could name any file. A stranger is believed no more than
    which one of the files of this machine's owner it is.
    """
    told = f"the server that runs here goes by {origin.options()}"
    trusted = bool(users) and users <= {0, os.geteuid()}
    if not trusted and origin.config is not None and not _is_safe(origin.config):
        _tell(f"{told}: name it, if you trust who wrote that file")
        return None
    try:
        chosen = load(origin.config, origin.preset, {})
        if chosen.settings.cache.path != origin.cache and trusted:
            chosen = load(origin.config, origin.preset, cache_override(origin.cache))
    except ConfigError:
        _tell(f"{told}, which cannot be used here: name settings with --config FILE")
        return None
    if chosen.settings.cache.path != origin.cache:
        _tell(f"{told}: name it, if that server is yours")
        return None
    _tell(f"{told}, and so does this command; --config FILE names others")
    return chosen


def asked_origin(admin: AdminSettings) -> Origin | None:
    """Ask the server that listens there; None when there is none, or not one that tells."""
    asked = _asked(admin)
    return None if asked is None else asked[0]


def is_offline(chosen: Chosen) -> bool:
    """Whether a server runs with these settings, or on this cache, and lets nothing out."""
    asked = None if chosen.settings.admin is None else _asked(chosen.settings.admin)
    if asked is None:
        return False
    origin, offline = asked
    own = chosen.config is not None and chosen.config.absolute() == origin.config
    return offline and (own or chosen.settings.cache.path == origin.cache)


def _asked(admin: AdminSettings) -> tuple[Origin, bool] | None:
    """What the server there goes by, and whether it is offline."""
    connection = http.client.HTTPConnection(admin.near, admin.port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/v1/settings")
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            return None
        document = json.loads(answer.read(_MOST_BYTES))
        if not isinstance(document, Mapping):
            return None
        return Origin.read(document), document.get("offline") is True
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def owners(port: int) -> frozenset[int]:
    """Tell who listens at a port of this machine; nobody where the system does not say."""
    return frozenset(user for table in _TABLES for user in _listeners(table, port))


def _listeners(table: Path, port: int) -> Iterator[int]:
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return
    for line in lines:
        fields = line.split()
        if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
            yield int(fields[7])


def _is_safe(file: Path) -> bool:
    """Whether only we or root can have written it, or can put another in its place.

    A link is somebody's word as well, and may lead elsewhere by the time the file is read.
    """
    try:
        return file.resolve(strict=True) == file and all(map(_is_ours, (file, *file.parents)))
    except (OSError, RuntimeError):  # links in a circle
        return False


def _is_ours(path: Path) -> bool:
    told = path.lstat()
    shared = told.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    sticky = stat.S_ISDIR(told.st_mode) and told.st_mode & stat.S_ISVTX
    return told.st_uid in {0, os.geteuid()} and (not shared or bool(sticky))


def _tell(line: str) -> None:
    click.echo(line, err=True)
