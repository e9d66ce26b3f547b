"""`entrepot verify`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from entrepot.cli.adminclient import AdminClient, Document, Refused
from entrepot.cli.asking import asks
from entrepot.cli.wording import count_text, size_text

_BAD = {
    "rotten": "was rotten: moved to quarantine, and fetched again when it is next asked for",
    "gone": "is not there any more",
    "unknown": "cannot be read: see the log",
}


@click.command()
@click.argument("image", required=False)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each blob.")
@asks
def verify(client: AdminClient, image: str | None, *, as_json: bool) -> None:
    """Hash every blob of IMAGE again, or of all images.

    What is not what its digest says goes to quarantine, and is fetched anew when it is next asked
    for.

    Exit status 1 when something is rotten or cannot be read.
    """
    lines = client.lines("POST", "/v1/verify", {"name": image})
    counts = {"sound": 0, "rotten": 0, "gone": 0, "unknown": 0}
    for told in _shown(lines, as_json=as_json):
        counts[told["verdict"]] += 1
        if told["verdict"] in {"rotten", "unknown"} and not as_json:
            click.echo(f"{told['digest']} {_BAD[told['verdict']]}")
            for name in told["images"]:
                click.echo(f"  of {name}")
    if not as_json:
        click.echo(f"{count_text(counts['sound'], 'blob')} sound, {counts['rotten']} rotten")
    if counts["rotten"] or counts["unknown"]:
        raise SystemExit(1)


def _shown(lines: Iterator[Document], *, as_json: bool) -> Iterator[dict[str, Any]]:
    """Pass on what is about a blob, with progress at the terminal; Refused when it breaks off."""
    total, done, ended = 0, 0, False
    bar = sys.stderr.isatty() and not as_json
    for told in lines:
        if as_json:
            click.echo(json.dumps(told))
        if "verdict" in told:
            done += int(str(told["size"]))
            if bar:
                click.echo(f"\r{size_text(done)} of {size_text(total)}  ", err=True, nl=False)
            yield told
        elif "error" in told:
            raise Refused(str(told["error"]))
        else:
            ended = ended or "done" in told
            total = int(str(told.get("bytes", total)))
    if bar:
        click.echo("\r" + " " * 40 + "\r", err=True, nl=False)
    if not ended:
        raise Refused("the answer was broken off")
