"""`entrepot pins`: digests that tags are known to mean before anybody is asked."""

from __future__ import annotations

import click

from entrepot.cli import LazyGroup

_COMMANDS = {
    "check": "entrepot.cli.pins_check",
    "import": "entrepot.cli.pins_import",
    "lock": "entrepot.cli.pins_lock",
}


@click.group(cls=LazyGroup, modules=_COMMANDS)
def pins() -> None:
    """Make and check pins: what a tag must be, whatever mirrors say."""
