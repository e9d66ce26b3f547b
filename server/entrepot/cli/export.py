"""`entrepot export`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from entrepot.archive.contents import Pieces
from entrepot.archive.writing import contents_of, write_layout
from entrepot.cli.adminclient import AdminClient
from entrepot.cli.asking import asks
from entrepot.cli.kubernetes import Needed, kubernetes_option
from entrepot.cli.meter import Meter, meter
from entrepot.cli.platforms import platform_option
from entrepot.cli.taking import Problem, Taking
from entrepot.cli.wording import about, count_text, size_text, trouble
from entrepot.errors import ArchiveInvalid
from entrepot.oci.digest import Digest


@click.command()
@click.argument("images", metavar="[IMAGE]...", nargs=-1)
@kubernetes_option
@platform_option
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="The tar to write.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@asks
def export(
    client: AdminClient,
    images: tuple[str, ...],
    kubernetes: Needed,
    platforms: tuple[str, ...],
    output: Path,
    *,
    as_json: bool,
) -> None:
    """Write images from the cache into one file, to be carried elsewhere.

    It is an OCI layout in a tar. `ctr images import`, `docker load`, `podman load`, `skopeo copy`
    and `entrepot import` read it, and digests stay as they are. Without --platform it has the
    platforms that are here.

    The file is there when all of it is in it, and not before. Exit status 1, and no file, when an
    image is not here or not complete; sandbox images that kubeadm does not pull are left out then.
    """
    names = [*kubernetes.images, *images]
    if not names:
        raise click.UsageError("say which images: IMAGE, or --kubernetes VERSION")
    taking = Taking(client, platforms)
    chosen, problems = taking.choose(names)
    if problems:
        _refuse(problems, as_json=as_json)
    lacking = taking.add(chosen, kubernetes.extras)
    contents = contents_of(chosen)
    with meter("exporting", sum(each.size for each in contents), shown=not as_json) as measured:
        try:
            size = write_layout(output, chosen, lambda digest: _fetched(client, digest, measured))
        except (ArchiveInvalid, OSError) as error:
            raise click.ClickException(f"{output} was not written: {trouble(error)}") from error
    if as_json:
        told = [{"name": one.name, "digest": str(one.root.digest)} for one in chosen]
        without = [each.document() for each in lacking]
        document = {"file": str(output), "bytes": size, "images": told, "left_out": without}
        click.echo(json.dumps(document, indent=2))
        return
    for name, left_out in taking.left_out:
        click.echo(f"{name}: not here and so not in the file: {left_out}", err=True)
    if lacking:
        names = [each.name for each in lacking]
        click.echo(f"not here whole, and kubeadm does not need it: {', '.join(names)}", err=True)
    click.echo(f"{output}: {count_text(len(chosen), 'image')}, {size_text(size)}")


def _fetched(client: AdminClient, digest: Digest, measured: Meter) -> Pieces:
    for piece in client.pieces(f"/v1/blobs/{digest}"):
        measured.add(len(piece))
        yield piece


def _refuse(problems: list[Problem], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"problems": [each.document() for each in problems]}, indent=2))
    for problem in problems:
        for line in _lines(problem):
            click.echo(line, err=True)
    if any(problem.missing or problem.absent for problem in problems):
        click.echo("`entrepot prefetch`, told the same, brings what is missing", err=True)
    sys.exit(1)


def _lines(problem: Problem) -> Iterator[str]:
    yield f"Error: {about(problem.name, problem.reason)}"
    for digest, size in problem.missing[:10]:
        yield f"  lacks {digest}" + (f" ({size_text(size)})" if size >= 0 else "")
    if len(problem.missing) > 10:
        yield f"  and {len(problem.missing) - 10} more"
