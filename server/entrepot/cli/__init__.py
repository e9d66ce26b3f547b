"""The commands, one file each."""

from __future__ import annotations

from importlib import import_module

import click

from entrepot import __version__

# Name of the command -> its module; the command in it has the module's own name.
_COMMANDS = {
    "check-config": "entrepot.cli.check_config",
    "export": "entrepot.cli.export",
    "gc": "entrepot.cli.gc",
    "health": "entrepot.cli.health",
    "import": "entrepot.cli.import_",
    "keep": "entrepot.cli.keep",
    "ls": "entrepot.cli.ls",
    "offline": "entrepot.cli.offline",
    "prefetch": "entrepot.cli.prefetch",
    "rm": "entrepot.cli.rm",
    "scrub": "entrepot.cli.scrub",
    "serve": "entrepot.cli.serve",
    "verify": "entrepot.cli.verify",
}


class LazyGroup(click.Group):
    """Imports a command when it is asked for: `check-config` needs no HTTP server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command."""
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None when there is none of that name."""
        del ctx
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = getattr(import_module(module), module.rpartition(".")[2])
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="entrepot", message="%(prog)s %(version)s")
def main() -> None:
    """Mirror container registries for a LAN: many mirrors, one cache, proved bytes."""
