"""`entrepot pins import`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import click

from entrepot.cli.output import write_output
from entrepot.cli.webtext import Unfetched, fetch_text, is_url
from entrepot.cli.wording import count_text
from entrepot.errors import NameInvalid
from entrepot.oci.reference import RepositoryName
from entrepot.trust.lockfile import compare_locks
from entrepot.trust.pinfile import PinEntry, PinFile, PinsInvalid, write_pin_file
from entrepot.trust.pinloading import load_pin_file
from entrepot.trust.promoter import Odd, Oddity
from entrepot.trust.promotions import (
    MANIFEST,
    Source,
    Subproject,
    find_subprojects,
    manifest_beside,
    pair,
    promotions,
    root_prefix,
)

_SHOWN_OF_A_KIND = 5
_COMMENT = ("Made by `entrepot pins import`: what the owners of these images promoted.",)


def _prefix(_ctx: click.Context, _param: click.Parameter, told: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(RepositoryName.parse(text) if text.strip("/") else "" for text in told)
    except NameInvalid as error:
        raise click.BadParameter(str(error)) from error


@click.command("import")
@click.argument("sources", nargs=-1, required=True, metavar="FILE|URL|DIR…")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file of pins to write, or to add to; standard output without it.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only these, as kube-*:v1.3* or coredns/*; may be given several times.",
)
@click.option(
    "--prefix",
    "prefixes",
    multiple=True,
    callback=_prefix,
    metavar="NAME",
    help="Below which name of registry.k8s.io the images stand ('' is its root), instead of what"
    " promoter-manifest.yaml says.",
)
@click.option("--replace", "replacing", is_flag=True, help="Let pins in the file change.")
def pins_import(
    sources: tuple[str, ...],
    output: Path | None,
    only: tuple[str, ...],
    prefixes: tuple[str, ...],
    *,
    replacing: bool,
) -> None:
    """Make pins of the Kubernetes promoter's files.

    These are images.yaml, with its promoter-manifest.yaml, in kubernetes/k8s.io: a clone of that, a
    directory or a file of it, or the URL of a file. The promoter-manifest.yaml that belongs to an
    images.yaml is looked for at its place in the same tree.

    What is odd is told on standard error. Pins that are in the file already stay. When one of them
    would change, nothing is written and the exit status is 1: the promoter never moves a tag.
    """
    try:
        found = promotions(_subprojects(sources, prefixes))
        before = load_pin_file(output) if output is not None and output.exists() else None
    except PinsInvalid as error:
        raise click.ClickException(str(error)) from error
    _tell(found.odd)
    if any(odd.kind is Oddity.UNREADABLE for odd in found.odd):
        raise click.ClickException("a file cannot be read as the promoter's: nothing is written")
    pins = [pin for pin in found.pins if _wanted(pin, only)]
    if not pins:
        raise click.ClickException("no pins come of this: nothing is written")
    entries = _merged(before, pins, replacing=replacing)
    if entries is None:
        click.echo(f"{count_text(len(pins), 'pin')}, all of them in {output} already", err=True)
        return
    text = write_pin_file(
        entries,
        source=f"Kubernetes promoter, {' '.join(sources)}",
        date=datetime.now(UTC).date().isoformat(),
        comment=_COMMENT,
    )
    write_output(output, text)
    told = f" for {output}" if output is not None else ""
    click.echo(f"{count_text(len(pins), 'pin')}{told}", err=True)


def _subprojects(sources: Iterable[str], prefixes: tuple[str, ...]) -> tuple[Subproject, ...]:
    found: list[Subproject] = []
    for source in sources:
        if is_url(source):
            found.append(_fetched(source, prefixes))
        elif Path(source).exists():
            found += find_subprojects(Path(source), prefixes)
        else:
            raise click.ClickException(f"{source}: no such file or directory")
    return pair(found)


def _fetched(url: str, prefixes: tuple[str, ...]) -> Subproject:
    if url.startswith("http:"):
        told = "came without TLS: whoever is in between may have changed it"
        click.echo(f"{url}: {told}", err=True)
    source = Source(url, fetch_text(url))
    if url.endswith(f"/{MANIFEST}"):
        return Subproject(manifest=source, prefixes=prefixes)
    project = Subproject((source,), prefixes=prefixes or root_prefix(url))
    beside = manifest_beside(url)
    if beside is None or project.prefixes:
        return project
    try:
        return replace(project, manifest=Source(beside, fetch_text(beside)))
    except Unfetched as error:
        if not error.missing:
            raise
        return project


def _wanted(pin: PinEntry, only: Sequence[str]) -> bool:
    names = (f"{pin.repository}:{pin.tag}", str(pin.repository), pin.image)
    return not only or any(fnmatchcase(name, pattern) for name in names for pattern in only)


def _merged(
    before: PinFile | None, pins: Sequence[PinEntry], *, replacing: bool
) -> list[PinEntry] | None:
    """Put the pins into those of the file; None when that changes nothing."""
    if before is None:
        return list(pins)
    entries = {entry.image: entry for entry in before} | {pin.image: pin for pin in pins}
    changes = compare_locks(before, entries.values())
    for line in changes.lines():
        click.echo(line, err=True)
    if changes.moved and not replacing:
        raise click.ClickException(
            f"{count_text(len(changes.moved), 'pin')} would change, which tags of Kubernetes do"
            " not: nothing is written (--replace lets them)"
        )
    return list(entries.values()) if changes else None


def _tell(odd: Iterable[Odd]) -> None:
    counts: Counter[Oddity] = Counter()
    for one in odd:
        counts[one.kind] += 1
        if counts[one.kind] <= _SHOWN_OF_A_KIND:
            click.echo(str(one), err=True)
    for kind, count in counts.items():
        if count > _SHOWN_OF_A_KIND:
            click.echo(f"and {count - _SHOWN_OF_A_KIND} more: {kind}", err=True)
