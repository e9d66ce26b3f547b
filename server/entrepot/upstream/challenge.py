"""The `WWW-Authenticate` header, read tolerantly: it says where a token is to be had (U-5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_GAP = re.compile(r"[\s,]*")
_PARAMETER = re.compile(rf'({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')
_SCHEME = re.compile(rf"({_WORD})(?=[\s,]|$)")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge; `scheme` and the names in `parameters` are lower case."""

    scheme: str
    parameters: Mapping[str, str]

    def get(self, name: str) -> str:
        """Tell a parameter's value, unquoted; "" when it was not given."""
        return self.parameters.get(name, "")


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Read every challenge of every header line, in order (RFC 9110, 11.6.1).

    A header may hold several challenges, and a quoted value may hold commas. What does not fit
    the grammar is stepped over, the first of two equal parameters counts; nothing is raised.
    """
    found: list[tuple[str, dict[str, str]]] = []
    for header in headers:
        line: list[tuple[str, dict[str, str]]] = []
        position = 0
        while (position := _end_of_gap(header, position)) < len(header):
            if parameter := _PARAMETER.match(header, position):
                if line:
                    line[-1][1].setdefault(parameter[1].lower(), _value(parameter))
                position = parameter.end()
            elif scheme := _SCHEME.match(header, position):
                line.append((scheme[1].lower(), {}))
                position = scheme.end()
            else:
                position += 1
        found += line
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)


def _end_of_gap(header: str, position: int) -> int:
    gap = _GAP.match(header, position)
    return gap.end() if gap else position


def _value(parameter: re.Match[str]) -> str:
    quoted = parameter[2]
    return parameter[3] if quoted is None else _ESCAPED.sub(r"\1", quoted)
