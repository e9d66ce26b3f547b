"""What every settings model has in common, and the surroundings a file is read in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo


class Frozen(BaseModel):
    """An immutable model that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # Keys that a file may use besides the fields' own names.
    also_written: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a file's values are held against; without it only their form is checked."""

    directory: Path
    environment: Mapping[str, str]
    # False: what is secret need not be within reach, as for a command that only asks the server.
    secrets: bool = True


def surroundings(info: ValidationInfo) -> Surroundings | None:
    """Give the surroundings that `load_settings` passed along, if it was the one to ask."""
    return info.context if isinstance(info.context, Surroundings) else None


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    around = surroundings(info)
    return path if around is None else around.directory / path.expanduser()


def _readable(path: Path, info: ValidationInfo) -> Path:
    if surroundings(info) is not None:
        if not path.is_file():
            raise ValueError("there is no such file")
        if not os.access(path, os.R_OK):
            raise ValueError("this file may not be read by the user Entrepot runs as")
    return path


def _readable_secret(path: Path, info: ValidationInfo) -> Path:
    around = surroundings(info)
    return path if around is None or not around.secrets else _readable(path, info)


# A relative path is relative to the directory of the file that names it.
FilePath = Annotated[Path, AfterValidator(_beside_the_file)]
ReadableFile = Annotated[FilePath, AfterValidator(_readable)]
SecretFile = Annotated[FilePath, AfterValidator(_readable_secret)]
