"""`entrepot import`."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from entrepot.archive.reading import Archive, read_archive
from entrepot.cli.adminclient import AdminClient
from entrepot.cli.asking import fills
from entrepot.cli.bringing import Bringing, Brought
from entrepot.cli.meter import meter
from entrepot.cli.wording import count_text, size_text, trouble
from entrepot.errors import ArchiveInvalid

_REWRITTEN = (
    "  its digest is not the registry's: what saved it has unpacked the layers, and who pulls it by"
    " the registry's digest does not find it"
)


@click.command("import")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--as", "name", metavar="NAME", help="The name of the one image in the one FILE.")
@click.option(
    "--despite-pins",
    is_flag=True,
    help="Take what is not the image that Entrepot knows by that name.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@fills
def import_(
    client: AdminClient,
    files: tuple[Path, ...],
    name: str | None,
    *,
    despite_pins: bool,
    as_json: bool,
) -> None:
    """Bring images from files into the cache.

    FILE is what `docker save`, `ctr images export`, `podman save`, `skopeo copy` to oci-archive:
    or `entrepot export` wrote, an OCI layout (a tar or a directory), or the airgap images of k3s
    and RKE2; packed with gzip or zstd, or not. "-" is standard input.

    Exit status 1 when something was not imported.
    """
    if name is not None and len(files) > 1:
        raise click.UsageError("--as names one image, and so is for one FILE")
    told: list[dict[str, object]] = []
    failed = False
    for file in files:
        with ExitStack() as stack:
            try:
                archive = stack.enter_context(_opened(file))
                brought = _brought(client, archive, name, despite_pins=despite_pins, quiet=as_json)
                for one in brought:
                    failed |= bool(one.problems)
                    told.append(one.document(str(file)))
                    if not as_json:
                        _tell(one)
            except (ArchiveInvalid, OSError) as error:
                failed = True
                told.append({"file": str(file), "problems": [trouble(error)]})
                click.echo(f"Error: {file}: {trouble(error)}", err=True)
    if as_json:
        click.echo(json.dumps({"images": told}, indent=2))
    if failed:
        raise SystemExit(1)


def _brought(
    client: AdminClient, archive: Archive, name: str | None, *, despite_pins: bool, quiet: bool
) -> Iterator[Brought]:
    if name is not None and len(archive.images) > 1:
        raise ArchiveInvalid(f"it has {len(archive.images)} images, and --as can name only one")
    names = (name,) if name is not None else None
    bringing = Bringing(client, archive, names, despite_pins=despite_pins)
    bringing.ask()
    with meter("importing", bringing.wanted_bytes, shown=not quiet) as measured:
        bringing.bring_blobs(measured.add)
    yield from bringing.name_images()


@contextmanager
def _opened(file: Path) -> Iterator[Archive]:
    """Read what is in a file; standard input is written to a file first, to be read twice."""
    if sys.stderr.isatty():
        click.echo(f"reading {file}", err=True)
    if str(file) != "-":
        yield read_archive(file)
        return
    with tempfile.NamedTemporaryFile(prefix="entrepot-import-") as spool:
        shutil.copyfileobj(sys.stdin.buffer, spool, 1 << 20)
        spool.flush()
        yield read_archive(Path(spool.name))


def _tell(one: Brought) -> None:
    for name in one.names:
        click.echo(f"imported {name}")
    for problem in one.problems:
        click.echo(f"Error: {problem}", err=True)
    if not one.names:
        return
    click.echo(f"  {one.image.root.digest}")
    there = f", {count_text(one.there, 'blob')} of them here before" if one.there else ""
    click.echo(f"  {count_text(len(one.image.parts), 'blob')}, {size_text(one.image.size)}{there}")
    if one.image.lacking:
        platforms = sorted({each.platform or str(each.digest) for each in one.image.lacking})
        click.echo(f"  not in the file: {', '.join(platforms)}")
    if one.image.rewritten:
        click.echo(_REWRITTEN)
