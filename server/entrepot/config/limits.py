"""How much may be asked of one mirror: what its owner allows, or what our own link is worth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field, PositiveInt, field_validator

from entrepot.config.frozen import Frozen
from entrepot.config.quantities import parse_duration, parse_size

_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_COUNT = re.compile(r"(\d{1,9})\s*/\s*(\S+)")
_DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True)
class Allowance:
    """`amount` bytes, or answers, in any `period_s` seconds."""

    amount: int
    period_s: float


class Hours(NamedTuple):
    """From `start` up to `stop`, in minutes since midnight; over midnight when `stop` is less."""

    start: int
    stop: int

    def covers(self, minute: int) -> bool:
        """Whether `minute` of the day lies inside."""
        if self.start < self.stop:
            return self.start <= minute < self.stop
        return minute >= self.start or minute < self.stop


def parse_allowance(value: object) -> object:
    """Read "1GiB/2h", or "none" as None; ValueError for anything else that is text."""
    if value == "none":
        return None
    if not isinstance(value, str | int):
        return value
    size, _, period = str(value).partition("/")
    try:
        allowance = Allowance(parse_size(size), parse_duration(period))
    except ValueError:
        raise ValueError("not bytes in a time: write it as 1GiB/2h") from None
    if allowance.amount == 0 or allowance.period_s == 0:
        raise ValueError("must be more than nothing")
    return allowance


def parse_count(value: object) -> object:
    """Read "80/2d", or "none" as None; ValueError for anything else that is text."""
    if value == "none":
        return None
    if not isinstance(value, str | int):
        return value
    found = _COUNT.fullmatch(str(value).strip())
    if found is None:
        raise ValueError("not a number in a time: write it as 80/2d")
    allowance = Allowance(int(found[1]), parse_duration(found[2]))
    if allowance.amount == 0 or allowance.period_s == 0:
        raise ValueError("must be more than nothing")
    return allowance


def parse_rate(value: object) -> int:
    """Read bytes a second from 65536, "2MiB/s", "2MiB"; ValueError for anything else."""
    if isinstance(value, str):
        value = value.strip().removesuffix("/s")
    try:
        rate = parse_size(value)
    except ValueError:
        raise ValueError("not a rate: write it as 512KiB/s or 2MiB/s") from None
    if rate == 0:
        raise ValueError("must be more than nothing; `none` means without a ceiling")
    return rate


def parse_hours(value: object) -> object:
    """Read "01:00-07:00"; ValueError for anything else that is text."""
    if not isinstance(value, str):
        return value
    found = _HOURS.fullmatch(value.strip())
    if found is not None:
        start, stop = (int(found[n]) * 60 + int(found[n + 1]) for n in (1, 3))
        right = all(int(found[n]) < 60 for n in (2, 4)) and start < _DAY_MIN and stop <= _DAY_MIN
        if right and start != stop:
            return Hours(start, stop)
    raise ValueError('not hours of the day: write them as "01:00-07:00"')


def unless_none(value: object) -> object:
    """Take the word for the nothing it means."""
    return None if value == "none" else value


def rate_unless_none(value: object) -> object:
    """Read a rate, or "none" as None."""
    value = unless_none(value)
    return None if value is None else parse_rate(value)


def _rules(value: object) -> object:
    value = unless_none(value)
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else [{"rate": value}]


class BandwidthRule(Frozen):
    """A ceiling in bytes a second, None for none, at some hours of the day, local time."""

    hours: Annotated[Hours | None, BeforeValidator(parse_hours)] = None
    rate: Annotated[int | None, BeforeValidator(rate_unless_none)]


class LimitSettings(Frozen):
    """Per mirror. Over a limit the next mirror is asked; `bandwidth` slows down instead."""

    # Connections that one blob is fetched over at a time.
    streams: Annotated[int, Field(ge=1, le=64)] = 1
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 16
    requests_per_minute: Annotated[PositiveInt | None, BeforeValidator(unless_none)] = None
    # The alias keeps the file's key from hiding the type.
    bytes_per_window: Annotated[Allowance | None, BeforeValidator(parse_allowance)] = Field(
        default=None, alias="bytes"
    )
    # Answers of 403, 404, 429 and 5xx, for which some mirrors ban.
    failures: Annotated[Allowance | None, BeforeValidator(parse_count)] = None
    bandwidth: Annotated[tuple[BandwidthRule, ...], BeforeValidator(_rules)] = ()

    @field_validator("bandwidth")
    @classmethod
    def _every_rule_counts(cls, rules: tuple[BandwidthRule, ...]) -> tuple[BandwidthRule, ...]:
        if any(rule.hours is None for rule in rules[:-1]):
            raise ValueError("a rule without hours is always right: put it last")
        return rules
