"""`entrepot rm`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from entrepot.cli.adminclient import AdminClient, Document, NotFound
from entrepot.cli.asking import asks
from entrepot.cli.wording import count_text, size_text


@click.command()
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@asks
def rm(client: AdminClient, images: tuple[str, ...], *, as_json: bool) -> None:
    """Remove images from the cache, by NAME:TAG or NAME@DIGEST.

    Layers that other images need stay; what somebody is pulling at this moment stays until the next
    `entrepot gc`. Nobody is asked, and what is pulled again is fetched again.

    Exit status 1 when an image is not here; the others are removed all the same.
    """
    removed: list[Document] = []
    missing = []
    for name in images:
        try:
            told = client.ask("DELETE", "/v1/images", {"name": name})
        except NotFound as error:
            missing.append(error.message)
            continue
        removed.append(told)
        if not as_json:
            for line in told_lines(told):
                click.echo(line)
    if as_json:
        click.echo(json.dumps({"removed": removed, "missing": missing}, indent=2))
    for message in missing:
        click.echo(f"Error: {message}", err=True)
    if missing:
        raise SystemExit(1)


def told_lines(removal: Document) -> Iterator[str]:
    """Tell what went, and why something stayed."""
    for name in removal["names"]:
        yield f"removed {name}"
    if not removal["names"] and not removal["listed"]:
        yield f"removed {removal['name']}"
    freed, shared, in_use = removal["freed"], removal["shared"], removal["in_use"]
    if removal["remaining"]:
        yield f"  it is still here as {', '.join(removal['remaining'])}"
        return
    if removal["listed"]:
        yield f"  {removal['digest']} stays: another image lists it"
    yield f"  freed {size_text(freed['bytes'])} ({count_text(freed['blobs'], 'blob')})"
    if shared["blobs"]:
        what = f"{count_text(shared['blobs'], 'blob')}, {size_text(shared['bytes'])}"
        yield f"  {what} stay: other images need them"
    if in_use["blobs"]:
        what = f"{count_text(in_use['blobs'], 'blob')}, {size_text(in_use['bytes'])}"
        yield f"  {what} stay until the next `entrepot gc`: somebody is using them"
