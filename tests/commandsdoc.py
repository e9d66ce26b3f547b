"""Writes docs/commands.md, what every command says of itself: `make reference`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import click

from entrepot.cli import main

_HEAD = """\
# Commands

What `entrepot COMMAND --help` says, of every command; `make reference` writes this page, and a
test compares it.

Those that look at images ask the running server through its admin listener, as the user that it
runs as or as root, for they read the token in CACHE/admin-token; without a server they open the
cache directory themselves. So they take `--config`, `--preset` and `--cache` as `entrepot serve`
does. Told neither of the first two, a command asks the admin listener of the settings it has (port
5001 of this host) which files the server there goes by, takes the same, and says so in a line on
standard error. What a server of another user than you or root says is taken only if nobody but you
and root can write that file, and if the cache is the one in it. With Docker:
`docker compose exec entrepot entrepot ls`.

The server goes on when somebody makes a mistake in its file, and so do the commands that ask it:
they take `admin` and `cache.path` from what is right, and tell the mistake in a line. Nor do they
need the secrets of mirrors (`password_env`, `password_file`); only a command that asks mirrors
itself does: `doctor`, `pins lock`, `pins check`, and `prefetch` while no server runs.

"""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command by its whole name, `pins check` among them, in order."""
    yield from _below("", main)


def page() -> str:
    """The whole page."""
    found = list(commands())
    index = [
        f"| [`entrepot {name}`](#{_anchor(name)}) | {one.get_short_help_str(limit=200)} |\n"
        for name, one in found
    ]
    told = [f"\n## entrepot {name}\n\n```\n{_help(name, one)}\n```\n" for name, one in found]
    return _HEAD + "| | |\n|---|---|\n" + "".join(index) + "".join(told)


def _below(prefix: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _below(f"{prefix}{name} ", command)
        else:
            yield f"{prefix}{name}", command


def _help(name: str, command: click.Command) -> str:
    context = click.Context(
        command,
        info_name=f"entrepot {name}",
        terminal_width=100,
        help_option_names=["-h", "--help"],
    )
    return command.get_help(context)


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"entrepot {name}".lower())


if __name__ == "__main__":
    sys.stdout.write(page())
