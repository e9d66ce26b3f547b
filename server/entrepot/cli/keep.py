"""`entrepot keep`."""

from __future__ import annotations

import json

import click

from entrepot.cli.adminclient import AdminClient, Document
from entrepot.cli.asking import asks


@click.command()
@click.argument("pattern", required=False)
@click.option("--remove", is_flag=True, help="Keep it no more.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@asks
def keep(client: AdminClient, pattern: str | None, *, remove: bool, as_json: bool) -> None:
    """Never evict what matches PATTERN; without one, list what is kept.

    PATTERN is registry/repository[:tag] or …@digest, with * and ?: docker.io/library/nginx:1.27*.
    What `cache.keep` in the settings says is changed there.
    """
    told: Document
    if pattern is None:
        if remove:
            raise click.UsageError("which pattern is to be removed?")
        told = client.get("/v1/keeps")
        lines = [*told["told"], *(f"{rule}  (settings)" for rule in told["settings"])]
    elif remove:
        told = client.ask("DELETE", "/v1/keeps", {"pattern": pattern})
        lines = [f"no longer kept: {told['pattern']}"]
    else:
        told = client.ask("POST", "/v1/keeps", body={"pattern": pattern})
        lines = [f"kept: {told['pattern']}"]
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for line in lines or ["nothing is kept"]:
        click.echo(line)
