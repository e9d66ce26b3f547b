"""`entrepot pins lock`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from entrepot.cli.adminclient import Document, Misused, NotFound, Refused
from entrepot.cli.asking import answering
from entrepot.cli.held import held_tags
from entrepot.cli.output import write_output
from entrepot.cli.surveying import Surveying, run_survey, surveys, tell_wait
from entrepot.cli.wording import count_text, trouble
from entrepot.errors import RequestError
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.survey.manners import Manners
from entrepot.survey.panel import panels
from entrepot.survey.resolving import resolve
from entrepot.survey.wanted import Wanted, names_of, read_wanted
from entrepot.trust.level import Level
from entrepot.trust.lockfile import compare_locks, lock_entry, write_lock
from entrepot.trust.pinfile import PinEntry, PinFile, PinsInvalid
from entrepot.trust.pinloading import load_pin_file
from entrepot.trust.verdicts import Accept, Keep

Entries = dict[Wanted, PinEntry]


@click.command("lock")
@click.argument("images", nargs=-1, metavar="[IMAGE]…")
@click.option("-f", "--file", "listed", type=click.File(encoding="utf-8"), help="One image a line.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The lock file to write; standard output without it.",
)
@click.option("--check", "checking", is_flag=True, help="Write nothing: status 1 for a change.")
@click.option("--mirrors-only", is_flag=True, help="Do not look into the cache.")
@surveys
def pins_lock(
    surveying: Surveying,
    images: tuple[str, ...],
    listed: TextIO | None,
    output: Path | None,
    *,
    checking: bool,
    mirrors_only: bool,
) -> None:
    """Write down which digests tags mean now, in a file of pins to be kept in git.

    Of IMAGE… and of the list in FILE (as `kubeadm config images list` prints it), or of every tag
    in the cache that more is here of than its index. A tag that is pinned already is locked to
    its pin; one that is in the cache to what it means there; about others the mirrors are asked,
    and the policy decides. Behind each digest stands what vouches for it.

    What differs from the file that is there is told on standard error; without a difference the
    file is left as it is.
    """
    try:
        before = load_pin_file(output) if output is not None and output.exists() else None
    except PinsInvalid as error:
        raise click.ClickException(str(error)) from error
    surveying.tell_origin()
    wanted = _wanted(surveying, images, listed)
    if mirrors_only and wanted is None:
        raise Misused("--mirrors-only wants IMAGE… or --file")
    entries = _entries(surveying, wanted, mirrors_only=mirrors_only)
    changes = compare_locks(before or PinFile(""), entries.values())
    told = changes.lines() if before is not None else []
    for line in told:
        click.echo(line, err=True)
    weak = [str(image) for image, entry in entries.items() if entry.note == str(Level.FIRST)]
    if weak:
        click.echo(
            f"nobody vouches for {count_text(len(weak), 'digest')}: {', '.join(weak)}", err=True
        )
    if checking or (before is not None and not changes):
        raise SystemExit(1 if changes else 0)
    source = "a list of images" if wanted is not None else "what a cache holds"
    try:
        text = write_lock(entries.values(), made_from=source, made_at=datetime.now(UTC))
    except ValueError as error:
        raise Refused(str(error)) from error
    write_output(output, text)


def _wanted(
    surveying: Surveying, images: Iterable[str], listed: TextIO | None
) -> list[Wanted] | None:
    """Read which images are meant; None for all that the cache has."""
    try:
        named = [*images, *(_lines(listed) if listed is not None else ())]
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"{getattr(listed, 'name', 'the list')}: {trouble(error)}") from error
    if not named:
        if listed is not None:
            raise Misused(f"{listed.name}: there is no image in it")
        return None
    table = names_of(surveying.settings)
    try:
        return list(dict.fromkeys(read_wanted(name, table) for name in named))
    except RequestError as error:
        raise Misused(str(error)) from error


def _lines(listed: TextIO) -> Iterator[str]:
    for line in listed:
        text = line.partition("#")[0].strip()
        if text:
            yield text


def _entries(
    surveying: Surveying, wanted: Sequence[Wanted] | None, *, mirrors_only: bool
) -> Entries:
    held = {} if mirrors_only else _held(surveying, wanted)
    images = list(held) if wanted is None else wanted
    entries: Entries = {}
    unknown = []
    for image in images:
        pin = surveying.pins.pin(image.registry, image.repository, image.tag)
        if pin is not None:
            entries[image] = _entry(image, pin.digests, Level.PIN)
            if image in held and not pin.allows(held[image].digests[0]):
                click.echo(
                    f"{image} is {held[image].digests[0]} in the cache, not as pinned", err=True
                )
        elif image in held:
            entries[image] = held[image]
        else:
            unknown.append(image)
    if unknown:
        surveying.check_online()
        entries |= run_survey(_resolved(surveying, unknown))
    if not entries:
        raise NotFound("there is nothing to lock: the cache has no tags")
    return entries


def _held(surveying: Surveying, wanted: Sequence[Wanted] | None) -> Entries:
    """Read what tags mean in the cache; without one, a list of images is a matter of mirrors."""
    try:
        with answering(surveying.settings) as client:
            found: Mapping[Wanted, tuple[str, str | None]] = {
                Wanted(
                    image["registry"], RepositoryName(image["repository"]), Tag(image["reference"])
                ): (image["digest"], image["level"])
                for image in held_tags(client)
                if _is_held(image)
            }
    except click.ClickException:
        if wanted is None:
            raise
        click.echo("the cache cannot be looked into: mirrors are asked", err=True)
        return {}
    return {
        image: _entry(image, (Digest.parse(digest),), Level[(level or "first").upper()])
        for image, (digest, level) in found.items()
    }


def _is_held(image: Document) -> bool:
    """Whether something of it is here; else it is a tag that somebody asked about, in vain."""
    return not image["platforms"] or any(one["here"] for one in image["platforms"])


def _entry(image: Wanted, digests: tuple[Digest, ...], level: Level) -> PinEntry:
    entry = lock_entry(image.registry, image.repository, image.tag, digests[0], level)
    return PinEntry(entry.registry, entry.repository, entry.tag, digests, entry.note)


async def _resolved(surveying: Surveying, images: Sequence[Wanted]) -> Entries:
    """Ask mirrors; Refused when there is an image that nothing is decided about."""
    policies, found = surveying.policies, {}
    registries = [image.registry for image in images]
    async with panels(surveying.settings, registries, Manners(tell=tell_wait)) as opened:
        for image in images:
            policy = policies.policy(image.registry, image.repository)
            decision = await resolve(opened[image.registry], image, policy, None)
            if not isinstance(decision, Accept | Keep):
                meant = await asyncio.to_thread(surveying.instead, image)
                raise Refused(f"{image}: {decision}{meant}")
            found[image] = _entry(image, (decision.digest,), decision.level)
    return found
