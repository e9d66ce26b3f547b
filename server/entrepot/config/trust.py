"""What is asked of mirrors' word about tags, as the settings have it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from entrepot.config.frozen import Frozen, ReadableFile
from entrepot.trust.policy import PINNED_WHERE_KNOWN, Policy, PolicyTable


def _check_policy(text: str) -> str:
    _ = Policy.parse(text)
    return text


def _check_name(name: str) -> str:
    _ = PolicyTable.of({name: PINNED_WHERE_KNOWN})
    return name


PolicyText = Annotated[str, AfterValidator(_check_policy)]
PolicyName = Annotated[str, AfterValidator(_check_name)]


class TrustSettings(Frozen):
    """Pins and policies. A registry may be called by an alias here too."""

    policy: PolicyText = str(PINNED_WHERE_KNOWN)
    policies: dict[PolicyName, PolicyText] = Field(default={})
    pins: tuple[ReadableFile, ...] = ()
    lock: ReadableFile | None = None
    built_in_pins: bool = True

    def ranks(self, built_in: Sequence[Path]) -> tuple[Sequence[Path], ...]:
        """Order the files of pins: a lock wins over one's own pins, these over those built in."""
        locks = [self.lock] if self.lock is not None else []
        return locks, self.pins, built_in if self.built_in_pins else ()

    def table(self, canonical: dict[str, str]) -> PolicyTable:
        """Make the table of policies; `canonical` tells what registry an alias means."""
        entries = {}
        for name, text in self.policies.items():
            registry, slash, rest = name.partition("/")
            known = canonical.get(registry, registry)
            entries[f"{known}{slash}{rest}"] = Policy.parse(text)
        return PolicyTable.of(entries, Policy.parse(self.policy))
