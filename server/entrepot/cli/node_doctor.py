"""`entrepot node-doctor`: what is wrong with the container runtime of this machine."""

from __future__ import annotations

import click

from entrepot.cli.setup import run_script
from entrepot.setup.doctor import doctor_script
from entrepot.setup.endpoint import Endpoint
from entrepot.setup.wanted import Wanted


@click.command("node-doctor")
@click.argument("mirror", required=False)
@click.argument("images", metavar="[IMAGE]...", nargs=-1)
@click.option("--ca", metavar="/PATH", help="The file with the CA of an https:// mirror.")
def node_doctor(mirror: str | None, images: tuple[str, ...], *, ca: str | None) -> None:
    """Look for what keeps this node from pulling by way of MIRROR, as 10.0.0.5:5000.

    Does what the server's /setup/node-doctor.sh does: it changes nothing, and tells the command
    that mends each finding. IMAGEs are asked of the mirror as well. Exit status 1: something was
    found.
    """
    wanted = None
    if mirror is not None:
        try:
            # Which registries it is to be asked for is no matter here.
            wanted = Wanted((Endpoint.parse(mirror),), ("registry.k8s.io",), ca=ca)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    raise SystemExit(run_script(doctor_script(wanted), list(images)))
