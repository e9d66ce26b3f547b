"""`entrepot ls`."""

from __future__ import annotations

import json

import click

from entrepot.cli.adminclient import AdminClient, Document
from entrepot.cli.asking import asks
from entrepot.cli.held import image_pages
from entrepot.cli.wording import ago_text, columns, size_text


@click.command()
@click.argument("pattern", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@asks
def ls(client: AdminClient, pattern: str | None, *, as_json: bool) -> None:
    """List the images that are in the cache.

    PATTERN is a repository, with any registry (pause, k8s.gcr.io/pause), an image
    (docker.io/busybox:1.36), or anything with * in it (registry.k8s.io/kube-*). What others need as
    well is counted in the size of each. `index only`: somebody asked what the tag means, or for a
    platform that could not be had, and none came.

    Exit status 1 when nothing matches PATTERN.
    """
    if as_json:
        found = [image for page in image_pages(client, pattern) for image in page]
        click.echo(json.dumps({"images": found}, indent=2))
        status = 0 if found or pattern is None else 1
    else:
        status = 1
        for page in image_pages(client, pattern):
            heads = [("IMAGE", "PLATFORMS", "SIZE", "LAST USE", "FROM")] if status else []
            for line in columns([*heads, *map(_row, page)]):
                click.echo(line)
            status = 0
        if status:
            click.echo(f"nothing matches {pattern}" if pattern else "the cache is empty", err=True)
            status = 1 if pattern else 0
    if status:
        raise SystemExit(status)


def _row(image: Document) -> tuple[str, str, str, str, str]:
    return (
        image["name"],
        platforms_text(image["platforms"], image["size"]),
        size_text(image["size"]),
        ago_text(image["used_at"]),
        image["mirror"] or "-",
    )


def platforms_text(platforms: list[Document], size: int) -> str:
    """Name the platforms that are complete, then those begun, and count those not here at all.

    `size` is what there is of the image: without any platform that is the index alone.
    """
    if not platforms:
        return "-"
    whole = [each["platform"] or "all" for each in platforms if each["complete"]]
    begun = [each for each in platforms if not each["complete"] and each["here"]]
    absent = sum(not each["complete"] and not each["here"] for each in platforms)
    parts = [*whole, *map(_begun, begun)]
    if absent and not parts:
        return f"index only (+{absent} not here)" if size else "nothing here"
    return ", ".join(parts) + (f" (+{absent} not here)" if absent else "")


def _begun(platform: Document) -> str:
    share = (platform["bytes"] + platform["bytes_begun"]) * 100 // max(platform["bytes_total"], 1)
    return f"{platform['platform'] or 'all'} INCOMPLETE {min(share, 99)}%"
