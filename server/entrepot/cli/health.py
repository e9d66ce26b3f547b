"""`entrepot health`: for a container's health check."""

from __future__ import annotations

import http.client
import sys
from pathlib import Path

import click

from entrepot.cli.choosing import cache_override, leniently
from entrepot.config import ConfigError

_PATIENCE_S = 4.0


@click.command()
@click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration file the server was started with, if any.",
)
@click.option("--preset", metavar="NAME", help="The preset it was started with, if any.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="Taken as by the other commands; readiness does not depend on it.",
)
def health(config: Path | None, preset: str | None, cache: Path | None) -> None:
    """Ask the server on this host whether it is ready.

    Exit status 0 when it is, 1 when it is not, 2 when the configuration does not say where to ask
    or switches the admin listener off. Other mistakes in it are told; the server goes on.
    """
    try:
        chosen = leniently(config, preset, cache_override(cache))
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    chosen.warn()
    settings = chosen.settings
    if settings.admin is None:
        click.echo("the admin listener is switched off: there is nobody to ask", err=True)
        sys.exit(2)
    host = settings.admin.near
    connection = http.client.HTTPConnection(host, settings.admin.port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/readyz")
        ready = connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException) as error:
        click.echo(f"no answer from {host}:{settings.admin.port}: {error}", err=True)
        sys.exit(1)
    finally:
        connection.close()
    click.echo("ready" if ready else "not ready")
    sys.exit(0 if ready else 1)
