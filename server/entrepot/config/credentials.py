"""A name and password for one mirror, wherever they are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, model_validator

from entrepot.config.frozen import Frozen, SecretFile, surroundings


def _set_in_environment(name: str, info: ValidationInfo) -> str:
    around = surroundings(info)
    if around is not None and around.secrets and not around.environment.get(name):
        # Without the name: somebody may have put the password itself here.
        raise ValueError("this environment variable is not set")
    return name


EnvironmentName = Annotated[str, AfterValidator(_set_in_environment)]


class Credentials(Frozen):
    """Kept in the file itself, in environment variables, or in files of their own.

    `username` and `password` are looked up at every access, so that a changed file counts
    without a restart. With `*_file` that reads the disk: not on the event loop. They raise
    OSError or KeyError when what was there at the start is gone.
    """

    username_text: str | None = Field(default=None, alias="username", repr=False)
    username_env: EnvironmentName | None = None
    username_file: SecretFile | None = None
    password_text: SecretStr | None = Field(default=None, alias="password")
    password_env: EnvironmentName | None = None
    password_file: SecretFile | None = None

    @model_validator(mode="after")
    def _one_source_each(self) -> Credentials:
        for what in ("username", "password"):
            given = [
                key
                for key, field in (
                    (what, f"{what}_text"),
                    (f"{what}_env", f"{what}_env"),
                    (f"{what}_file", f"{what}_file"),
                )
                if getattr(self, field) is not None
            ]
            if not given:
                raise ValueError(f"one of {what}, {what}_env and {what}_file is needed")
            if len(given) > 1:
                raise ValueError(f"only one of {' and '.join(given)} can be meant")
        return self

    @property
    def username(self) -> str:
        """The name, read anew."""
        return _look_up(self.username_text, self.username_env, self.username_file)

    @property
    def password(self) -> str:
        """The password, read anew; never to be logged."""
        literal = None if self.password_text is None else self.password_text.get_secret_value()
        return _look_up(literal, self.password_env, self.password_file)


def _look_up(literal: str | None, variable: str | None, file: Path | None) -> str:
    if literal is not None:
        return literal
    if variable is not None:
        return os.environ[variable]
    assert file is not None
    return file.read_text(encoding="utf-8").strip()
