"""`make bench`: measure, print tables, keep the figures as JSON."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path

import click

from benchmarks import machine, report
from benchmarks.figures import FIGURES, FULL, QUICK, Bench
from benchmarks.result import Figure

RESULTS = Path(__file__).parent / "results"


async def run(names: tuple[str, ...], *, quick: bool) -> tuple[str, str, str]:
    """Measure what is named; the text for a reader, the JSON, and the result file's name."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="entrepot-bench-") as directory:
        about = await machine.facts(Path(directory))
        scale = QUICK if quick else FULL
        bench = Bench(Path(directory), scale, lambda text: click.echo(text, err=True))
        for name in names:
            figures += await FIGURES[name](bench)
    about["quick"] = quick
    name = f"{str(about['date'])[:10]}-{about['commit']}.json"
    return report.as_text(figures), report.as_json(about, figures), name


@click.command()
@click.option("--quick", is_flag=True, help="Smaller blobs and fewer rounds: under 90 seconds.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Where the figures go; tests/benchmarks/results/<date>-<commit>.json unless --quick.",
)
@click.option("--only", multiple=True, type=click.Choice(list(FIGURES)), help="May be repeated.")
def main(*, quick: bool, json_file: Path | None, only: tuple[str, ...]) -> None:
    """Measure Entrepot beside nginx proxy_cache and distribution's proxy, all on loopback."""
    # Debian keeps nginx where only root's PATH looks.
    os.environ["PATH"] = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
    if missing := [name for name in machine.PROGRAMS if shutil.which(name) is None]:
        raise click.ClickException(f"not installed: {', '.join(missing)}")
    started = time.monotonic()
    text, document, name = asyncio.run(run(only or tuple(FIGURES), quick=quick))
    click.echo(text)
    if json_file is None and not quick and not only:
        json_file = RESULTS / name
    if json_file is not None:
        json_file.write_text(document)
        click.echo(f"\nwritten to {json_file}", err=True)
    click.echo(f"took {time.monotonic() - started:.0f} s", err=True)


if __name__ == "__main__":
    main()
