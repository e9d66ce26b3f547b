"""`entrepot reload`."""

from __future__ import annotations

import click

from entrepot.cli.adminclient import AdminClient
from entrepot.cli.asking import asks


@click.command()
@asks
def reload(client: AdminClient) -> None:
    """Have the running server read its settings anew, as SIGHUP does; transfers go on.

    Exit status 2, and everything stays as it was, when they have mistakes. What cannot change
    while it runs is told.
    """
    done = client.ask("POST", "/v1/reload")
    changed, restart = done["changed"], done["restart"]
    click.echo(f"changed: {', '.join(changed)}" if changed else "nothing has changed")
    if restart:
        click.echo(f"only after a restart: {', '.join(restart)}", err=True)
