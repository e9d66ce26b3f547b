"""`entrepot pins check`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from entrepot.cli.adminclient import Document
from entrepot.cli.asking import answering
from entrepot.cli.held import held_tags
from entrepot.cli.surveying import Surveying, run_survey, surveys, tell_wait
from entrepot.cli.wording import columns, count_text
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag
from entrepot.survey.comparison import Compared, compare_with_pins
from entrepot.survey.manners import Manners
from entrepot.survey.panel import panels
from entrepot.survey.wanted import Wanted, names_of, pinned
from entrepot.trust.pins import Pin, Pins


@dataclass(frozen=True, slots=True)
class Held:
    """What the cache has under a pinned tag."""

    wanted: Wanted
    pin: Pin
    digest: Digest

    @property
    def right(self) -> bool:
        """Whether that is what is pinned."""
        return self.pin.allows(self.digest)


@click.command("check")
@click.argument("patterns", nargs=-1, metavar="[PATTERN]…")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@click.option("--cache-only", is_flag=True, help="Ask no mirror.")
@click.option("--mirrors-only", is_flag=True, help="Do not look into the cache.")
@surveys
def pins_check(
    surveying: Surveying,
    patterns: tuple[str, ...],
    *,
    as_json: bool,
    cache_only: bool,
    mirrors_only: bool,
) -> None:
    """Compare the cache and every mirror with the pins.

    Mirrors are asked for the pinned tags that are in the cache, and for those that match PATTERN
    (pause, registry.k8s.io/kube-*, k8s.gcr.io/pause:3.*), with HEAD and within the limits of the
    settings. What they say is their word: what they send is proved when it is fetched.

    Exit status 1 when the cache or a mirror has something else under a pinned tag. A mirror that
    has no such tag, or does not answer, is no reason.
    """
    if cache_only and mirrors_only:
        raise click.UsageError("--cache-only and --mirrors-only leave nothing to look at")
    held: list[Held] = []
    unpinned = 0
    if not mirrors_only:
        held, unpinned = _held(surveying)
    wanted = pinned(surveying.pins, patterns, names_of(surveying.settings))
    compared: tuple[Compared, ...] = ()
    if not cache_only:
        surveying.check_online()
        compared = run_survey(_compared(surveying, {one.wanted: one.pin for one in held} | wanted))
    if as_json:
        click.echo(json.dumps(_document(held, unpinned, compared), indent=2))
    else:
        for line in _report(held, unpinned, compared):
            click.echo(line)
    if not all(one.right for one in held) or any(one.right is False for one in compared):
        raise SystemExit(1)


def _held(surveying: Surveying) -> tuple[list[Held], int]:
    """Read what the cache has of what is pinned, and count the tags that no pin is about."""
    found, unpinned = [], 0
    with answering(surveying.settings) as client:
        for image in held_tags(client):
            wanted = _wanted(image)
            pin = _pin(surveying.pins, wanted)
            if pin is None:
                unpinned += 1
            else:
                found.append(Held(wanted, pin, Digest.parse(image["digest"])))
    return found, unpinned


def _wanted(image: Document) -> Wanted:
    return Wanted(image["registry"], RepositoryName(image["repository"]), Tag(image["reference"]))


def _pin(pins: Pins, wanted: Wanted) -> Pin | None:
    return pins.pin(wanted.registry, wanted.repository, wanted.tag)


async def _compared(surveying: Surveying, wanted: Mapping[Wanted, Pin]) -> tuple[Compared, ...]:
    served = surveying.settings.registries
    registries = [name for name in served if any(one.registry == name for one in wanted)]
    found: list[Compared] = []
    async with panels(surveying.settings, registries, Manners(tell=tell_wait)) as opened:
        for name, panel in opened.items():
            here = {one: pin for one, pin in wanted.items() if one.registry == name}
            found += await compare_with_pins(panel, here)
    return tuple(found)


def _report(held: Sequence[Held], unpinned: int, compared: Sequence[Compared]) -> Iterator[str]:
    heads = ("", "AS PINNED", "OTHER", "NO ANSWER")
    rows = [("cache", *_counts(one.right for one in held))] if held or not compared else []
    for registry, mirror in dict.fromkeys((one.wanted.registry, one.mirror) for one in compared):
        of = [one for one in compared if (one.wanted.registry, one.mirror) == (registry, mirror)]
        rows.append((f"{registry}, {mirror}", *_counts(one.right for one in of)))
    yield from columns([heads, *rows])
    if unpinned:
        yield f"{count_text(unpinned, 'tag')} in the cache without a pin"
    for one in held:
        if not one.right:
            yield _difference(one.wanted, one.pin, "the cache", one.digest)
    for other in compared:
        if other.right is False and other.digest is not None:
            yield _difference(other.wanted, other.pin, other.mirror, other.digest)
    silent = Counter((one.mirror, one.note or one.state.value) for one in compared if one.note)
    for (mirror, note), count in silent.items():
        yield f"{mirror}: {note}" + (f" ({count} times)" if count > 1 else "")


def _counts(right: Iterable[bool | None]) -> tuple[str, str, str]:
    counted = Counter(right)
    return str(counted[True]), str(counted[False]), str(counted[None])


def _difference(wanted: Wanted, pin: Pin, who: str, digest: Digest) -> str:
    told = " or ".join(map(str, pin.digests))
    return f"{wanted}: pinned to {told} in {pin.where}; {who} has {digest}"


def _document(held: Sequence[Held], unpinned: int, compared: Sequence[Compared]) -> Document:
    def pin_of(wanted: Wanted, pin: Pin) -> Document:
        return {"image": str(wanted), "pinned": list(map(str, pin.digests)), "where": pin.where}

    return {
        "cache": [
            pin_of(one.wanted, one.pin) | {"digest": str(one.digest), "right": one.right}
            for one in held
        ],
        "unpinned": unpinned,
        "mirrors": [
            pin_of(one.wanted, one.pin)
            | {
                "mirror": one.mirror,
                "state": one.state.value,
                "digest": str(one.digest) if one.digest is not None else None,
                "right": one.right,
                "note": one.note,
            }
            for one in compared
        ],
    }
