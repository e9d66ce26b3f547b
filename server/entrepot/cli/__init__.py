"""The commands, one file each."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from entrepot import __version__

# Name of the command -> its module; the command in it has the module's own name.
_COMMANDS = {
    "check-config": "entrepot.cli.check_config",
    "doctor": "entrepot.cli.doctor",
    "export": "entrepot.cli.export",
    "gc": "entrepot.cli.gc",
    "health": "entrepot.cli.health",
    "import": "entrepot.cli.import_",
    "keep": "entrepot.cli.keep",
    "ledger": "entrepot.cli.ledger",
    "ls": "entrepot.cli.ls",
    "node-doctor": "entrepot.cli.node_doctor",
    "offline": "entrepot.cli.offline",
    "pins": "entrepot.cli.pins",
    "prefetch": "entrepot.cli.prefetch",
    "reload": "entrepot.cli.reload",
    "rm": "entrepot.cli.rm",
    "scrub": "entrepot.cli.scrub",
    "serve": "entrepot.cli.serve",
    "setup": "entrepot.cli.setup",
    "status": "entrepot.cli.status",
    "top": "entrepot.cli.top",
    "verify": "entrepot.cli.verify",
    "why": "entrepot.cli.why",
}


class LazyGroup(click.Group):
    """Imports a command when it is asked for: `check-config` needs no HTTP server."""

    def __init__(self, *args: Any, modules: Mapping[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command."""
        del ctx
        return sorted(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None when there is none of that name."""
        del ctx
        module = self._modules.get(cmd_name)
        if module is None:
            return None
        command = getattr(import_module(module), module.rpartition(".")[2])
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=LazyGroup,
    modules=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="entrepot", message="%(prog)s %(version)s")
def main() -> None:
    """Mirror container registries for a LAN: many mirrors, one cache, proved bytes."""
