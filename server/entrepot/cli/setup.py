"""`entrepot setup`: settings for a client, printed, or written on the machine that it runs on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import click

from entrepot.config import ConfigError, load_settings
from entrepot.setup.client import CLIENTS, Client
from entrepot.setup.endpoint import Endpoint
from entrepot.setup.printing import printed
from entrepot.setup.script import setup_script
from entrepot.setup.version import Version
from entrepot.setup.wanted import Wanted

_ASK_S = 15.0
_ANY = Endpoint("http", "mirror.invalid", 5000)  # --remove needs none, and asks none


@click.command()
@click.argument("client", type=click.Choice(list(CLIENTS)))
@click.argument("mirrors", metavar="[MIRROR]...", nargs=-1)
@click.option("--version", "given", metavar="X.Y.Z", help="Of the client; asked of it if left out.")
@click.option("--registry", "registries", metavar="NAME", multiple=True, help="Only this one.")
@click.option(
    "--port",
    "ports",
    metavar="NAME=PORT",
    multiple=True,
    help="The mirror's port that means this registry alone, for clients that name none.",
)
@click.option("--default", "everything", is_flag=True, help="All registries there are.")
@click.option("--strict", is_flag=True, help="Never ask the registry itself.")
@click.option("--ca", metavar="/PATH", help="The node's file with the CA of an https:// mirror.")
@click.option("--config", type=click.Path(path_type=Path), help="Entrepot's settings.")
@click.option("--write", is_flag=True, help="Write the files, keeping what was there.")
@click.option("--remove", is_flag=True, help="Put everything back as it was.")
@click.option("--dry-run", is_flag=True, help="With --write or --remove: change nothing.")
@click.option("--no-restart", is_flag=True, help="With --write or --remove: restart nothing.")
@click.option("--force", is_flag=True, help="Also over changes, or without an answer.")
def setup(
    client: str,
    mirrors: tuple[str, ...],
    *,
    given: str | None,
    registries: tuple[str, ...],
    ports: tuple[str, ...],
    everything: bool,
    strict: bool,
    ca: str | None,
    config: Path | None,
    write: bool,
    remove: bool,
    dry_run: bool,
    no_restart: bool,
    force: bool,
) -> None:
    """Point CLIENT at each MIRROR in turn, as 10.0.0.5:5000 or https://mirror.lan:5443.

    Prints the files for the version that is installed here, or was given; with --write, does what
    the server's /setup/CLIENT.sh does. The registries are those of Entrepot's settings.
    """
    chosen = CLIENTS[client]
    if not mirrors and not remove:
        raise click.UsageError("which mirror? Write its address, as 10.0.0.5:5000")
    try:
        settings = load_settings(config, secrets=False)
    except ConfigError as error:
        raise click.ClickException("\n".join(map(str, error.problems))) from None
    try:
        version = Version.parse(given) if given else None
        wanted = Wanted(
            tuple(map(Endpoint.parse, mirrors)) or (_ANY,),
            registries or settings.names,
            everything=everything,
            strict=strict,
            ca=ca,
            ports={**settings.own_ports, **dict(map(_port, ports))},
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if write or remove:
        options = {"--remove": remove, "--dry-run": dry_run, "--no-restart": no_restart}
        words = [word for word, on in {**options, "--force": force}.items() if on]
        if given:
            words += ["--version", given]
        raise SystemExit(run_script(setup_script(chosen, wanted), words))
    _show(chosen, wanted, version or _installed(chosen))


def _port(text: str) -> tuple[str, int]:
    registry, _, port = text.rpartition("=")
    if not registry or not port.isascii() or not port.isdigit() or not 0 < int(port) <= 65535:
        raise ValueError(f"not a registry and its port: {text!r}; write k8s.gcr.io=5002")
    return registry, int(port)


def run_script(text: str, words: list[str]) -> int:
    """Run a script of ours as a node would, and give back its exit status."""
    command = ["/bin/sh", "-s", "--", *words]
    return subprocess.run(command, input=text, text=True, check=False).returncode  # noqa: S603


def _show(client: Client, wanted: Wanted, version: Version | None) -> None:
    if version is None:
        version = client.generations(wanted)[-1][0]
        if version > Version(0):
            click.echo(
                f"{client.title} is not here: for {version} and later (--version gives another)",
                err=True,
            )
    if version < client.thresholds[0]:
        raise click.ClickException(f"nothing is known of {client.title} before this: {version}")
    plan = client.plan(version, wanted)
    if plan.impossible:
        raise click.ClickException(plan.impossible)
    click.echo(printed(plan, wanted.ca), nl=False)


def _installed(client: Client) -> Version | None:
    """Ask the client; None when it is not here."""
    asked = subprocess.run(  # noqa: S603 - a command of our own table
        ["/bin/sh", "-c", client.ask],
        capture_output=True,
        text=True,
        timeout=_ASK_S,
        check=False,
    )
    for word in asked.stdout.split():
        try:
            version = Version.parse(word)
        except ValueError:
            continue
        if "." in word:
            return version
    return None
