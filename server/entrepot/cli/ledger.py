"""`entrepot ledger`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click

from entrepot.cli.adminclient import AdminClient, Document
from entrepot.cli.asking import asks
from entrepot.cli.wording import ago_text, columns
from entrepot.config.quantities import parse_duration

_MOST = 1000
_VERDICTS = ("accepted", "confirmed", "repaired", "reported", "refused")


def _moment(_ctx: click.Context, _param: click.Parameter, told: str | None) -> float | None:
    """Read a time of the day or year, or how long ago it was; seconds of the epoch."""
    if told is None:
        return None
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        try:
            return time.time() - parse_duration(told)
        except ValueError:
            raise click.BadParameter(
                f"{told}: write 2026-11-28, 2026-11-28T12:00Z, or how long ago it was, as 2d or 12h"
            ) from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


@click.command()
@click.option("--mirror", metavar="NAME", help="Only what this mirror said.")
@click.option("--image", metavar="IMAGE", help="Only what was said of this image.")
@click.option(
    "--since", metavar="WHEN", callback=_moment, help="Only from then on: 2026-11-28, or 2d."
)
@click.option(
    "--limit",
    type=click.IntRange(1, _MOST),
    default=100,
    show_default=True,
    help="The newest so many.",
)
@click.option(
    "--came-from",
    metavar="NAME",
    help="What only this mirror's word brought: no pin, no owner, no other mirror vouches for it.",
)
@click.option(
    "--before", metavar="WHEN", callback=_moment, help="With --came-from: what came before then."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@asks
def ledger(
    client: AdminClient,
    *,
    mirror: str | None,
    image: str | None,
    since: float | None,
    limit: int,
    came_from: str | None,
    before: float | None,
    as_json: bool,
) -> None:
    """Tell what mirrors said of which names, how that was checked, and what became of it.

    Times without a zone are UTC. When a mirror turns out to be bad, `--came-from NAME` lists what
    to look at again, with exit status 1 when the cache still has some of that.
    """
    if came_from is not None:
        if mirror or image or since is not None:
            raise click.UsageError("--came-from goes with --before only")
        _suspects(client, came_from, before, as_json=as_json)
        return
    if before is not None:
        raise click.UsageError("--before goes with --came-from")
    told = client.get(
        "/v1/ledger", mirror=mirror, image=image, since=_text(since), limit=str(limit)
    )
    told |= client.get("/v1/ledger/mirrors", since=_text(since))
    if mirror is not None:
        told["mirrors"] = [one for one in told["mirrors"] if one["mirror"] == mirror]
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for record in told["records"]:
        click.echo(record["text"])
    if told["more"]:
        click.echo(f"There may be older ones; these are the newest {limit} (--limit).", err=True)
    for line in _standings(told["mirrors"]):
        click.echo(line)


def _suspects(client: AdminClient, mirror: str, before: float | None, *, as_json: bool) -> None:
    told = client.get("/v1/ledger/suspects", mirror=mirror, before=_text(before))
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        for line in _suspect_lines(mirror, told["suspects"]):
            click.echo(line)
    if any(one["held"] for one in told["suspects"]):
        raise SystemExit(1)


def _suspect_lines(mirror: str, suspects: Sequence[Document]) -> Iterator[str]:
    if not suspects:
        yield f"Nothing came from {mirror} that it alone vouches for."
        return
    heads = ("IMAGE", "DIGEST", "WHEN", "HERE")
    rows = [
        (one["image"], one["digest"] or "-", ago_text(one["at"]), "yes" if one["held"] else "no")
        for one in suspects
    ]
    yield from columns([heads, *rows])
    yield "What is still here goes with `entrepot rm IMAGE`."


def _standings(mirrors: Sequence[Document]) -> Iterator[str]:
    if not mirrors:
        yield "The ledger has nothing about that."
        return
    heads = ("REGISTRY", "MIRROR", *(verdict.upper() for verdict in _VERDICTS), "LAST", "")
    yield ""
    yield from columns(
        [
            heads,
            *(
                (
                    one["registry"],
                    one["mirror"],
                    *(str(one[verdict]) for verdict in _VERDICTS),
                    ago_text(one["last_at"]),
                    "demoted" if one["demoted"] else "",
                )
                for one in mirrors
            ),
        ]
    )


def _text(moment: float | None) -> str | None:
    return None if moment is None else repr(moment)
