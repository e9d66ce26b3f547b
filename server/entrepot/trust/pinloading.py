"""Pins from the disk. Call these before the event loop starts, or in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from entrepot.trust.pinfile import PinFile, PinsInvalid, read_pin_file
from entrepot.trust.pins import Pins, combine


def shipped_pins() -> tuple[Path, ...]:
    """Give the files of pins that come with Entrepot."""
    directory = Path(str(files("entrepot_defaults"))) / "pins"
    return tuple(sorted(directory.glob("*.yaml")))


def load_pin_file(path: Path) -> PinFile:
    """Read one file of pins or one lock file; PinsInvalid when it cannot be read or used."""
    try:
        with path.open(encoding="utf-8") as lines:
            return read_pin_file(str(path), lines)
    except OSError as error:
        raise PinsInvalid([f"{path}: cannot be read: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise PinsInvalid([f"{path}: is not UTF-8 text"]) from error


def load_pins(*ranks: Sequence[Path]) -> Pins:
    """Read files of pins, rank by rank as `combine` has them; every mistake in one PinsInvalid.

    The usual call is `load_pins(lock_files, pin_files_of_the_user, shipped_pins())`.
    """
    problems: list[str] = []
    loaded: list[list[PinFile]] = []
    for rank in ranks:
        loaded.append([])
        for path in rank:
            try:
                loaded[-1].append(load_pin_file(path))
            except PinsInvalid as error:
                problems.extend(error.problems)
    try:
        pins = combine(*loaded)
    except PinsInvalid as error:
        raise PinsInvalid([*problems, *error.problems]) from error
    if problems:
        raise PinsInvalid(problems)
    return pins
