"""`entrepot why`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from entrepot.cli.adminclient import Document, Misused
from entrepot.cli.asking import answering
from entrepot.cli.doctor import examined, report
from entrepot.cli.surveying import Surveying, run_survey, surveys
from entrepot.cli.wording import ago_text, count_text, size_text
from entrepot.errors import RequestError
from entrepot.survey.documents import examination_document
from entrepot.survey.findings import Examination
from entrepot.survey.wanted import names_of, read_wanted


@click.command()
@click.argument("image")
@click.option("--mirrors", is_flag=True, help="Ask every mirror what it has now, as doctor does.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@surveys
def why(surveying: Surveying, image: str, *, mirrors: bool, as_json: bool) -> None:
    """Tell where IMAGE came from, and why its tag means what it means.

    That is: its digest and what vouches for it, the pin and where that is written, who said so and
    when, which mirrors gave the bytes, and what became of everything that mirrors said of it.

    Exit status 1 when nothing is known of IMAGE.
    """
    with answering(surveying.settings) as client:
        told = client.get("/v1/why", name=image)
    examination = _examined(surveying, told["name"]) if mirrors else None
    if as_json:
        more = {} if examination is None else {"mirrors": _found(examination)}
        click.echo(json.dumps(told | more, indent=2))
        return
    for line in story(told):
        click.echo(line)
    if examination is not None:
        click.echo("\nWhat the mirrors have now:\n")
        for line in report(examination):
            click.echo(line)


def _examined(surveying: Surveying, name: str) -> Examination:
    surveying.check_online()
    try:
        wanted = read_wanted(name, names_of(surveying.settings))
    except RequestError as error:
        raise Misused(str(error)) from error
    [found] = run_survey(examined(surveying, [wanted], None))
    return found


def _found(examination: Examination) -> object:
    return examination_document(examination)["mirrors"]


def story(told: Document) -> Iterator[str]:
    """Write what is known for a person."""
    yield told["name"]
    for key, text in _facts(told):
        yield f"  {key:<9}{text}"
    yield from _history(told)


def _facts(told: Document) -> Iterator[tuple[str, str]]:
    yield "is", told["digest"] or "not here"
    if told["level"] is not None:
        yield "level", f"{told['level']}: {told['vouched_by']}"
    pin = told["pin"]
    if pin is None:
        yield "pin", "none"
    else:
        source = ", ".join(filter(None, [pin["source"], pin["date"]]))
        yield "pin", f"{' or '.join(pin['digests'])}"
        yield "", f"in {pin['where']}" + (f" ({source})" if source else "")
        if told["digest"] is not None and told["digest"] not in pin["digests"]:
            yield "", "which is not what is here: it is not served"
    yield "policy", told["policy"]
    if told["said_by"] is not None:
        checked = f", last checked {ago_text(told['checked_at'])}" if told["checked_at"] else ""
        yield "said by", f"{told['said_by'] or 'nobody: the pin says it'}{checked}"
    if told["manifest_from"] is not None:
        yield "manifest", f"from {told['manifest_from'] or 'somebody not known any more'}"
    for given in told["given"]:
        blobs = f"{count_text(given['blobs'], 'blob')}, {size_text(given['bytes'])}"
        yield "bytes", f"{blobs}, from {given['mirrors'] or 'somebody not known any more'}"
    if told["other_names"]:
        yield "also", ", ".join(told["other_names"])
    for demoted in told["demoted"]:
        until = f" until {demoted['until']}" if demoted["until"] else ""
        yield "demoted", f"{demoted['mirror']}: asked after the others{until}"


def _history(told: Document) -> Iterator[str]:
    if not told["records"]:
        yield "The ledger has nothing about it."
        return
    yield ""
    for record in told["records"]:
        yield record["text"]
