"""Which settings a command goes by, and who answers for the cache that they name."""

from __future__ import annotations

import functools
import http.client
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from entrepot.cli.adminclient import AdminClient, Connect, Misused, Refused
from entrepot.cli.choosing import choose
from entrepot.config import AdminSettings, ConfigError, Settings
from entrepot.errors import StoreError, StoreLocked

_PATIENCE_S = 10.0
_VERSION = "VERSION"
_TOKEN = "admin-token"  # noqa: S105 - the name of a file

F = TypeVar("F", bound=Callable[..., Any])


def asks(command: F) -> F:
    """Give a command the options that say which cache is meant, and an `AdminClient` for it."""
    return _asking(command, answering)


def fills(command: F) -> F:
    """As `asks`, for a command that brings something: there need not be a cache yet."""
    return _asking(command, lambda settings: answering(settings, makes=True))


def fetches(command: F) -> F:
    """As `fills`, for a command that has something fetched from mirrors."""
    return _asking(command, lambda settings: answering(settings, makes=True, fetching=True))


def _asking(command: F, answered: Callable[[Settings], AbstractContextManager[AdminClient]]) -> F:
    @click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The configuration file the server is started with; without it and --preset, those of"
        " the server that runs here.",
    )
    @click.option("--preset", metavar="NAME", help="The preset it is started with, if any.")
    @click.option(
        "--cache",
        type=click.Path(path_type=Path, file_okay=False),
        help="The cache directory, instead of the one in the configuration.",
    )
    @functools.wraps(command)
    def asking(config: Path | None, preset: str | None, cache: Path | None, **options: Any) -> None:
        try:
            settings = choose(config, preset, cache).settings
        except ConfigError as error:
            click.echo(str(error), err=True)
            sys.exit(2)
        with answered(settings) as client:
            command(client, **options)

    return asking  # type: ignore[return-value]


@contextmanager
def answering(
    settings: Settings, *, makes: bool = False, fetching: bool = False
) -> Iterator[AdminClient]:
    """Open the cache directory if nobody uses it; ask the server that does, otherwise.

    With `makes` a directory that is not there, or is empty, becomes a cache; with `fetching`
    mirrors are asked also where no server runs.

    In this order, because whoever listens at the admin address while no server runs is not to be
    told the token.
    """
    problem: StoreError | None = None
    with ExitStack() as stack:
        if makes or (settings.cache.path / _VERSION).exists():
            # aiohttp and all the rest, which asking a server does not need
            from entrepot.cli.directory import directory  # noqa: PLC0415
            from entrepot.log import configure_log  # noqa: PLC0415

            configure_log("text", "error", lasting=False)
            token = secrets.token_urlsafe(32)
            try:
                connect = stack.enter_context(directory(settings, token, fetching=fetching))
            except StoreError as error:
                problem = error
            else:
                yield AdminClient(connect, token, running=False)
                return
        connect = _listener(settings, problem)
        yield AdminClient(connect, _token(settings), running=True)


def _listener(settings: Settings, problem: StoreError | None) -> Connect:
    """Connect to the admin listener; what to do if nobody is there."""
    admin, path = settings.admin, settings.cache.path
    if problem is None:
        why = f"there is no cache in {path} (`cache.path`, --config, --cache)"
    elif isinstance(problem, StoreLocked):
        why = str(problem).partition(":")[0]
    else:
        why = str(problem)
    if admin is None:
        raise Misused(f"{why}, and the admin listener is switched off: stop the server first")
    host = admin.near
    try:
        socket.create_connection((host, admin.port), timeout=_PATIENCE_S).close()
    except OSError as error:
        raise Refused(
            f"{why}, and nobody answers at the admin address {host}:{admin.port} ({error})."
            " Give the --config that the server runs with, or stop it"
        ) from error
    return lambda: http.client.HTTPConnection(host, admin.port)


def _token(settings: Settings) -> str:
    """Read the token of the server that runs with these settings."""
    admin = settings.admin or AdminSettings(host="localhost", port=0)
    file = admin.token_file or settings.cache.path / _TOKEN
    try:
        return admin.token() or file.read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        raise Refused(
            f"an Entrepot answers at the admin address, but its cache is not {settings.cache.path}:"
            f" there is no {file}. Say which with --config FILE, as the server has it, or --cache"
            " DIRECTORY (after `make run`: --cache var/cache)"
        ) from error
    except (OSError, KeyError, ValueError) as error:
        raise Refused(
            f"the admin token cannot be read: {error}. Run this as the user of the server"
        ) from error
