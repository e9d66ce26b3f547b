"""`entrepot scrub`."""

from __future__ import annotations

import json

import click

from entrepot.cli.adminclient import AdminClient, Document
from entrepot.cli.asking import asks
from entrepot.cli.wording import ago_text, count_text, size_text


@click.command()
@click.argument("what", type=click.Choice(["status", "now"]), default="status")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@asks
def scrub(client: AdminClient, what: str, *, as_json: bool) -> None:
    """Tell how far the scrub is, or begin a round `now`.

    A server goes on with it in the background; without a server the command takes as long as the
    round.
    """
    told: Document
    if what == "now":
        wait = None if client.running else "true"
        told = client.ask("POST", "/v1/scrub", {"wait": wait})
    else:
        told = client.get("/v1/scrub")
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    if client.running and what == "now":
        begun = "has begun" if told["began"] else "was going on already"
        click.echo(f"a round {begun}: `entrepot scrub` tells when it has ended")
        return
    if told["running"]:
        click.echo(f"a round is going on, begun {ago_text(told['began_at'])}")
    click.echo(f"last complete round: {ago_text(told['ended_at'])}")
    if told["blobs"]:
        what = f"{count_text(told['blobs'], 'blob')}, {size_text(told['bytes'])}"
        click.echo(f"hashed since the start: {what}; {told['rotten']} rotten")
