"""The order in which to ask mirrors, made of what was found, as settings to be pasted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yarl import URL

from entrepot.survey.asking import State
from entrepot.survey.findings import Examination, Finding, Ranges
from entrepot.trust.fidelity import Fidelity

HIDDEN = "…"
"""Stands where a secret stood; whoever pastes the settings has to put it back."""

_FIDELITIES = (
    Fidelity.VERBATIM,
    Fidelity.RESERIALISED,
    Fidelity.SINGLE_ARCH,
    None,
    Fidelity.RECOMPRESSED,
    Fidelity.OTHER,
)


@dataclass(frozen=True, slots=True)
class Suggested:
    """A mirror's settings as they were written, at its place in the suggestion, and why there."""

    settings: object
    why: str


def suggest(examination: Examination, written: Mapping[str, object]) -> tuple[Suggested, ...]:
    """Order the mirrors of a registry; `written` is the registry as the settings file has it.

    Those that give out the owner's bytes come first, the faster before the slower; those that
    could not be used come last and stay in the list, for they may be back tomorrow. Nothing where
    the settings do not list as many mirrors as were examined.
    """
    listed = written.get("mirrors")
    if not isinstance(listed, Sequence) or len(listed) != len(examination.findings):
        return ()
    ordered = sorted(examination.findings, key=_rank)
    return tuple(Suggested(hidden(listed[one.place - 1]), _why(one)) for one in ordered)


def changes(examination: Examination) -> bool:
    """Whether the suggested order is another one than that of the settings."""
    places = [one.place for one in sorted(examination.findings, key=_rank)]
    return places != sorted(places)


def hidden(value: object, key: str = "") -> object:
    """Take secrets out of settings: passwords, values of headers, logins in proxies' urls."""
    if isinstance(value, Mapping):
        if key == "headers":
            return dict.fromkeys(value, HIDDEN)
        return {name: hidden(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(inner, key) for inner in value]
    if key == "password":
        return HIDDEN
    if key == "proxy" and "@" in str(value):
        return str(URL(str(value)).with_user(None)).replace("://", f"://{HIDDEN}@", 1)
    return value


def _rank(finding: Finding) -> tuple[bool, bool, int, bool, float, int]:
    """Order findings; what comes first is to be asked first."""
    transfer = finding.transfer
    return (
        not finding.usable,
        finding.state is not State.ANSWERS,
        _FIDELITIES.index(finding.fidelity),
        transfer.ranges is Ranges.WRONG,
        -(transfer.bytes_per_second or 0.0),
        finding.place,
    )


def _why(finding: Finding) -> str:
    if finding.state is not State.ANSWERS:
        return str(finding.state)
    parts = [str(finding.fidelity) if finding.fidelity is not None else "not compared"]
    rate = finding.transfer.bytes_per_second
    if rate is not None:
        parts.append(f"{rate / 2**20:.1f} MiB/s")
    if finding.transfer.sound is False:
        parts.append("sends wrong bytes")
    return ", ".join(parts)
