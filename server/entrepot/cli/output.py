"""Files that commands write: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

_READABLE = 0o644


def write_output(path: Path | None, text: str) -> None:
    """Write a text to a file, or to standard output; what was there before stays if that fails."""
    if path is None:
        click.echo(text, nl=False)
        return
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else _READABLE
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            unfinished = Path(file.name)
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                unfinished.chmod(mode)
                unfinished.replace(path)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}") from error
