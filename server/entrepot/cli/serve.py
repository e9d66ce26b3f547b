"""`entrepot serve`."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import structlog

from entrepot.activation import Handed, notify
from entrepot.allocator import keep_buffers
from entrepot.app import Server, running
from entrepot.config import ConfigError, Settings, load_settings
from entrepot.config.origin import Origin
from entrepot.descriptors import raise_limit
from entrepot.errors import StoreError, StoreLocked, StoreTooNew
from entrepot.log import configure_log
from entrepot.tasks import owned
from entrepot.trust.pinfile import PinsInvalid

log = structlog.get_logger("entrepot")


@click.command()
@click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration file; without it /etc/entrepot/entrepot.yaml, if it is there.",
)
@click.option(
    "--preset",
    metavar="NAME",
    help="A configuration that comes with Entrepot, such as `china`; the file is laid over it.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="The cache directory, instead of the one in the configuration.",
)
@click.option(
    "--listen", metavar="HOST:PORT", help="Where to listen, instead of what the configuration says."
)
def serve(config: Path | None, preset: str | None, cache: Path | None, listen: str | None) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reads the settings anew.

    Exit status 2 for a configuration with mistakes, 1 when the cache directory or an address
    cannot be used.
    """
    overrides: dict[str, object] = {}
    if cache is not None:
        overrides["cache"] = {"path": cache.absolute()}
    if listen is not None:
        overrides["listen"] = listen

    file = None if config is None else config.absolute()

    def load() -> Settings:
        return load_settings(config, preset=preset, overrides=overrides)

    try:
        settings = load()
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    configure_log(settings.log.format, settings.log.level)
    keep_buffers()
    gc.freeze()  # imports stay; looking through them again stops the loop for 20 ms
    raise_limit()
    try:
        asyncio.run(_serve(settings, load, Origin(file, preset, settings.cache.path)))
    except PinsInvalid as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except (StoreError, OSError) as error:
        click.echo(f"entrepot: {_told(error, settings)}", err=True)
        sys.exit(1)


async def _serve(settings: Settings, load: Callable[[], Settings], origin: Origin) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    handed = Handed.on(os.environ)
    async with owned("reloads") as reloads, running(settings, load, handed, origin) as server:
        loop.add_signal_handler(
            signal.SIGHUP, lambda: reloads.start(_reload(server, load), name="SIGHUP")
        )
        log.info(
            "server.ready",
            listen=",".join(server.addresses),
            admin=server.admin_address or "off",
            cache=str(settings.cache.path),
            registries=server.services.names.served,
        )
        if settings.log.format == "text":
            click.echo(_hint(server.addresses[0]), err=True)
        notify(os.environ, "READY=1", f"STATUS=serving {server.services.names.served}")
        await stop.wait()
        notify(os.environ, "STOPPING=1")


async def _reload(server: Server, load: Callable[[], Settings]) -> None:
    now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify(os.environ, "RELOADING=1", f"MONOTONIC_USEC={now_us}")
    try:
        _ = await server.reload(load)
    except ConfigError:
        told = "STATUS=the settings were refused: see the log"
    else:
        told = f"STATUS=serving {server.services.names.served}"
    notify(os.environ, "READY=1", told)


def _told(error: StoreError | OSError, settings: Settings) -> str:
    """What went wrong, and the setting to change."""
    if isinstance(error, OSError):
        if error.errno != errno.EADDRINUSE:
            return str(error)
        return (
            f"{error.strerror or error}. Stop what listens there, or choose another address:"
            " `listen` and `admin` in the settings (--config FILE)"
        )
    if isinstance(error, (StoreLocked, StoreTooNew)):
        return str(error)
    return f"{settings.cache.path} cannot be used as the cache (`cache.path`, --cache): {error}"


def _hint(address: str) -> str:
    port = address.rpartition(":")[2]
    return (
        f"\nEntrepot serves on port {port}. What to put on a node is told at"
        f" http://THIS-HOST:{port}/ (try: curl http://127.0.0.1:{port}/)\n"
    )
