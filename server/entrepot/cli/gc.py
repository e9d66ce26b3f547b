"""`entrepot gc`."""

from __future__ import annotations

import json

import click

from entrepot.cli.adminclient import AdminClient
from entrepot.cli.asking import asks
from entrepot.cli.wording import count_text, size_text


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@asks
def gc(client: AdminClient, *, as_json: bool) -> None:
    """Tidy up now: what belongs to no image goes, and what the limits do not allow.

    Files and catalog are compared, blobs that no image lists and downloads that broke off an hour
    ago or more are removed, and the stalest images if there is a limit and it is reached.
    """
    told = client.ask("POST", "/v1/gc")
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(f"freed {size_text(told['freed_bytes'])}")
    for key, noun in (
        ("orphans", "blob that no image needs"),
        ("partials", "broken-off download"),
        ("evicted", "image over the limit"),
        ("lost", "blob whose file was gone"),
        ("adopted", "file that the catalog did not know"),
        ("odd", "thing that does not belong, to quarantine"),
        ("failed", "failure: see the log"),
    ):
        if told[key]:
            click.echo(f"  {told[key]} x {noun}")
    click.echo(f"{count_text(told['blobs'], 'blob')}, {size_text(told['bytes'])} are held")
