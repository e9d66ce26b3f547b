"""`entrepot top`."""

from __future__ import annotations

import contextlib
import shutil
import sys

import click

from entrepot.cli.adminclient import AdminClient, Misused
from entrepot.cli.asking import asks
from entrepot.cli.frame import frame

_HOME, _TO_END_OF_LINE, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"
_OTHER_SCREEN, _FIRST_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


@click.command()
@click.option("--once", is_flag=True, help="Look once, and end.")
@asks
def top(client: AdminClient, *, once: bool) -> None:
    """Watch the server: downloads with their progress, mirrors and their health; ^C ends it."""
    if not client.running:
        raise Misused("no server runs on this cache: there is nothing to watch")
    live = not once and sys.stdout.isatty()
    if live:
        click.echo(_OTHER_SCREEN, nl=False)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            for now in client.events("/status/events?as=json"):
                lines = list(frame(now))
                if not live:
                    click.echo("\n".join(lines))
                    return
                click.echo(screen(lines, *shutil.get_terminal_size()), nl=False)
    finally:
        if live:
            click.echo(_FIRST_SCREEN, nl=False)


def screen(lines: list[str], columns: int, rows: int) -> str:
    """Draw over what is there: what does not fit is left out."""
    shown = [line[:columns] + _TO_END_OF_LINE for line in lines[: rows - 1]]
    return _HOME + "\n".join(shown) + _TO_END
