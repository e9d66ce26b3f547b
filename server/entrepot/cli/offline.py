"""`entrepot offline`."""

from __future__ import annotations

import click

from entrepot.cli.adminclient import AdminClient
from entrepot.cli.asking import asks


@click.command()
@click.argument("switch", type=click.Choice(["on", "off"]), required=False)
@asks
def offline(client: AdminClient, switch: str | None) -> None:
    """Go offline or online again, while the server runs; without an argument, tell which it is.

    Offline nothing goes out, also from `doctor`, `pins lock` and `pins check`, and downloads in
    progress end. It lasts until the server ends: how it
    starts is `offline` in the settings.
    """
    if switch is None:
        told = client.get("/v1/offline")
    else:
        told = client.ask("PUT", "/v1/offline", body={"offline": switch == "on"})
    click.echo("offline" if told["offline"] else "online")
