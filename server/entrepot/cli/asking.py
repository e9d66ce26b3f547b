"""Which settings a command goes by, and who answers for the cache that they name."""

from __future__ import annotations

import functools
import http.client
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from entrepot.cli.adminclient import AdminClient, Connect, Misused, Refused
from entrepot.cli.choosing import Chosen, choose, leniently
from entrepot.config import AdminSettings, ConfigError, Settings
from entrepot.errors import StoreError, StoreLocked
from entrepot.store.lock import is_locked

_PATIENCE_S = 10.0
_VERSION = "VERSION"
_TOKEN = "admin-token"  # noqa: S105 - the name of a file

_LOCK = "lock"

F = TypeVar("F", bound=Callable[..., Any])


def asks(command: F) -> F:
    """Give a command the options that say which cache is meant, and an `AdminClient` for it."""
    return _asking(command)


def fills(command: F) -> F:
    """As `asks`, for a command that brings something: there need not be a cache yet."""
    return _asking(command, makes=True)


def fetches(command: F) -> F:
    """As `fills`, for a command that has something fetched from mirrors."""
    return _asking(command, makes=True, fetching=True)


def _asking(command: F, *, makes: bool = False, fetching: bool = False) -> F:
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
            chosen = choose(config, preset, cache, leniently)
        except ConfigError as error:
            raise Unusable(str(error)) from error
        with ExitStack() as stack:
            if chosen.mistake is not None and (fetching or not chosen.whole):
                client = _of_server(chosen, chosen.mistake)
            else:
                answered = answering(chosen.settings, makes=makes, fetching=fetching)
                client = stack.enter_context(answered)
            command(client, **options)

    return asking  # type: ignore[return-value]


class Unusable(Misused):
    """The settings have mistakes, and nobody answers who goes on without them."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Write a line for each, which says where it is."""
        click.echo(self.message, file=file, err=True)


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
        if makes or _is_cache(settings.cache.path):
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


def _of_server(chosen: Chosen, mistake: ConfigError) -> AdminClient:
    """Ask the server that runs, if one does: by these settings no directory may be opened."""
    path = chosen.settings.cache.path
    if _is_cache(path) and not is_locked(path / _LOCK):
        raise Unusable(str(mistake))
    try:
        client = AdminClient(
            _listener(chosen.settings, None), _token(chosen.settings), running=True
        )
    except click.ClickException as error:
        raise Unusable(f"{mistake}\n{error.message}") from error
    chosen.warn()
    return client


def _is_cache(path: Path) -> bool:
    """Whether a cache is there; what may not be looked into is taken for one."""
    try:
        return (path / _VERSION).exists()
    except PermissionError:
        return True


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
