"""`entrepot status`."""

from __future__ import annotations

import json

import click

from entrepot.cli.adminclient import AdminClient
from entrepot.cli.asking import asks
from entrepot.cli.frame import disk, frame, going
from entrepot.cli.wording import count_text, size_text


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@asks
def status(client: AdminClient, *, as_json: bool) -> None:
    """Tell how the server is: downloads, mirrors and their health, what was saved, the disk.

    Of a directory that no server uses only what is in it.
    """
    told = client.get("/status.json" if client.running else "/v1/status")
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    if not client.running:
        click.echo("no server runs on this cache")
        click.echo(f"{count_text(told['blobs'], 'blob')}, {size_text(told['bytes'])} kept")
        return
    for line in (*frame(told), "", *disk(told["disk"]), *going(told["next_to_go"])):
        click.echo(line)
