"""`entrepot doctor`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import click
import yaml

from entrepot.cli.adminclient import Misused
from entrepot.cli.surveying import Surveying, run_survey, surveys, tell_wait
from entrepot.cli.wording import columns, size_text
from entrepot.config import written_registry
from entrepot.config.quantities import parse_size
from entrepot.errors import RequestError
from entrepot.survey.asking import State
from entrepot.survey.documents import examination_document
from entrepot.survey.examination import Examiner
from entrepot.survey.findings import Examination, Finding
from entrepot.survey.manners import Manners
from entrepot.survey.panel import panels
from entrepot.survey.suggestion import HIDDEN, Suggested, changes, suggest
from entrepot.survey.transfer import SAMPLE_BYTES, Sample
from entrepot.survey.wanted import Wanted, names_of, read_wanted, sample_of
from entrepot.trust.fidelity import Fidelity

_SHORT = len("sha256:") + 12

_NOT_THERE = frozenset({State.UNREACHABLE, State.SILENT})
_WAYS_OUT: tuple[tuple[frozenset[State], str], ...] = (
    (
        frozenset({State.NO_TAG, State.NOT_CARRIED}),
        "* no such tag: are name and tag right? To judge the mirrors, name what is surely there.",
    ),
    (
        frozenset({State.DENIED}),
        "* denied: it wants `credentials`, or other ones; many say so of names that are not there.",
    ),
    (frozenset({State.THROTTLED}), "* throttled: wait, or give `credentials` and `limits`."),
    (
        _NOT_THERE,
        "* unreachable, silent: has this host a way out, a DNS that knows the name, a `proxy`?",
    ),
    (
        frozenset({State.BLOCK_PAGE, State.WRONG, State.FAILED, State.ANSWERS}),
        "* anything else: what came is not the image, as told above; replace such a mirror.",
    ),
)


def _sample(_ctx: click.Context, _param: click.Parameter, told: str) -> Sample | None:
    try:
        count = parse_size(told)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return Sample(count) if count else None


@click.command()
@click.argument("names", nargs=-1, metavar="[REGISTRY|IMAGE]…")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@click.option(
    "--sample",
    callback=_sample,
    default=f"{SAMPLE_BYTES >> 20}MiB",
    metavar="SIZE",
    help="How much of a layer is fetched from each mirror to measure it; 0 for nothing.",
)
@surveys
def doctor(
    surveying: Surveying, names: Sequence[str], sample: Sample | None, *, as_json: bool
) -> None:
    """Examine the mirrors in the settings: who is there, and whose bytes they give out.

    Each is asked for IMAGE, or for a small well-known image of REGISTRY, or for one of every
    registry that is served; about five requests to a mirror, within the limits of the settings. A
    mirror that refuses is not asked again.

    Exit status 1 when there is an image that no mirror has as its owner made it.
    """
    surveying.check_online()
    surveying.tell_origin()
    wanted = _wanted(surveying, names)
    found = run_survey(examined(surveying, wanted, sample))
    told = [(one, _suggestion(surveying, one)) for one in found]
    if as_json:
        documents = [examination_document(one, suggested) for one, suggested in told]
        click.echo(json.dumps({"examinations": documents}, indent=2, ensure_ascii=False))
    else:
        for one, suggested in told:
            for line in report(one):
                click.echo(line)
            if not one.usable and (meant := surveying.instead(one.wanted)):
                click.echo(f"{one.wanted} is not to be had{meant}")
            written = written_registry(one.wanted.registry, surveying.config, surveying.preset)
            for line in pasteable(one, suggested, written):
                click.echo(line)
    if not all(one.usable for one in found):
        raise SystemExit(1)


def _wanted(surveying: Surveying, names: Sequence[str]) -> list[Wanted]:
    table = names_of(surveying.settings)
    if names:
        try:
            return list(dict.fromkeys(read_wanted(name, table) for name in names))
        except RequestError as error:
            raise Misused(str(error)) from error
    samples = {name: sample_of(name) for name in surveying.settings.registries}
    for name, found in samples.items():
        if found is None:
            click.echo(f"{name} is left out: say which image, {name}/REPOSITORY:TAG", err=True)
    return [found for found in samples.values() if found is not None]


async def examined(
    surveying: Surveying, wanted: Sequence[Wanted], sample: Sample | None
) -> list[Examination]:
    """Examine the mirrors with these images, one after the other."""
    manners = Manners(tell=tell_wait)
    examiner = Examiner(surveying.pins, sample)
    registries = [one.registry for one in wanted]
    async with panels(surveying.settings, registries, manners) as opened:
        return [await examiner.examine(opened[one.registry], one) for one in wanted]


def _suggestion(surveying: Surveying, found: Examination) -> tuple[Suggested, ...]:
    written = written_registry(found.wanted.registry, surveying.config, surveying.preset)
    return suggest(found, written)


def report(found: Examination) -> Iterator[str]:
    """Write what was found for a person: a table, and what does not fit into it below."""
    yield f"{found.wanted}"
    if found.digest is None or found.level is None:
        yield "  nobody vouches for a digest: copies are not compared"
    else:
        yield f"  is {found.digest}: {found.level.explanation}: {found.vouched_by}"
    yield ""
    heads = ("", "MIRROR", "ROUTE", "ANSWER", "COPY", "DIGEST", "RANGES", "SPEED", "TOKENS FROM")
    yield from columns([heads, *(_row(finding) for finding in found.findings)])
    yield ""
    for finding in found.findings:
        yield from _remarks(finding)
    for fidelity in Fidelity:
        if any(finding.fidelity is fidelity for finding in found.findings):
            yield f"{fidelity.value}: {fidelity.explanation}"
    yield ""


def _row(finding: Finding) -> tuple[str, ...]:
    answers = finding.state is State.ANSWERS
    rate = finding.transfer.bytes_per_second
    return (
        f"{finding.place}.",
        finding.mirror + (" (authority)" if finding.authority else ""),
        finding.route,
        f"{finding.seconds * 1000:.0f} ms" if answers else finding.state.value,
        _copy(finding) if answers else "-",
        str(finding.digest)[:_SHORT] if finding.digest is not None else "-",
        finding.transfer.ranges.value if answers else "-",
        f"{size_text(rate)}/s" if rate is not None else "-",
        ", ".join(finding.token_servers) or "-",
    )


def _copy(finding: Finding) -> str:
    if finding.fidelity is not None:
        return finding.fidelity.value
    return "differs" if finding.pinned is False else "not compared"


def _remarks(finding: Finding) -> Iterator[str]:
    name = finding.mirror
    if finding.note:
        yield f"{name}: {finding.note}"
    if finding.detail:
        yield f"{name}: {finding.detail}"
    if finding.transfer.sound is False:
        yield f"{name}: sends wrong bytes for a layer"
    if finding.transfer.note:
        yield f"{name}: {finding.transfer.note}"


def pasteable(
    found: Examination, suggested: Sequence[Suggested], written: Mapping[str, object]
) -> Iterator[str]:
    """Write the suggested order as settings."""
    if all(finding.state in _NOT_THERE for finding in found.findings):
        yield "No mirror could be reached, so nothing is known of their order. Has this host a way"
        yield "out, a DNS that knows these names, a proxy? Where the registries themselves are"
        yield "blocked: --preset china, here and for the server."
        yield ""
        return
    if not found.usable:
        yield f"No mirror was of any use for {found.wanted}, so nothing is known of their order."
        yield from (text for states, text in _WAYS_OUT if _states(found) & states)
        yield ""
        return
    if not suggested or not changes(found):
        yield "The order of the mirrors is right as it is."
        yield ""
        return
    rest = {key: value for key, value in written.items() if key != "mirrors"}
    yield f"# Suggested, by {found.wanted} alone:"
    yield "registries:"
    yield f"  {found.wanted.registry}:"
    for key, value in rest.items():
        yield f"    {_flow({key: value})[1:-1]}"
    yield "    mirrors:"
    for one in suggested:
        yield f"      - {_flow(one.settings)}  # {one.why}"
    if HIDDEN in _flow([one.settings for one in suggested]):
        yield f"# Put back what stands here as {HIDDEN}."
    yield ""


def _states(found: Examination) -> set[State]:
    return {finding.state for finding in found.findings}


def _flow(value: object) -> str:
    text: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1 << 20
    )
    return text.removesuffix("\n").removesuffix("\n...").strip()
