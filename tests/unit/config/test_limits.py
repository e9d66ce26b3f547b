"""How much of a mirror, as the file writes it."""

import pytest
from pydantic import ValidationError

from entrepot.config.limits import (
    Allowance,
    BandwidthRule,
    Hours,
    LimitSettings,
    parse_allowance,
    parse_hours,
    parse_rate,
)


def limits(**written: object) -> LimitSettings:
    return LimitSettings.model_validate(written)


def test_without_any_a_mirror_is_asked_as_much_as_is_polite() -> None:
    assert limits() == LimitSettings()
    assert (limits().streams, limits().concurrency) == (1, 16)


def test_everything_at_once() -> None:
    written = limits(
        streams=2,
        concurrency=10,
        requests_per_minute=20,
        bytes="1GiB/2h",
        failures="80/2d",
        bandwidth=[{"hours": "01:00-07:00", "rate": "none"}, {"rate": "1MiB/s"}],
    )
    assert (written.streams, written.concurrency, written.requests_per_minute) == (2, 10, 20)
    assert written.failures == Allowance(80, 172800.0)
    assert written.bytes_per_window == Allowance(1 << 30, 7200.0)
    assert [(rule.hours, rule.rate) for rule in written.bandwidth] == [
        (Hours(60, 420), None),
        (None, 1 << 20),
    ]


def test_none_is_no_limit() -> None:
    assert (
        limits(requests_per_minute="none", bytes="none", failures="none", bandwidth="none")
        == LimitSettings()
    )
    assert limits(requests_per_minute=None, bytes=None, bandwidth=None) == LimitSettings()


def test_one_rate_is_a_rule_for_all_hours() -> None:
    rule = BandwidthRule(rate=2 << 20)
    assert limits(bandwidth="2MiB/s").bandwidth == limits(bandwidth=2 << 20).bandwidth == (rule,)


@pytest.mark.parametrize(("minute", "inside"), [(59, False), (60, True), (419, True), (420, False)])
def test_hours_begin_and_end(minute: int, inside: bool) -> None:
    assert Hours(60, 420).covers(minute) is inside


@pytest.mark.parametrize(
    ("minute", "inside"), [(1319, False), (1320, True), (0, True), (360, False)]
)
def test_hours_may_go_over_midnight(minute: int, inside: bool) -> None:
    assert Hours(22 * 60, 6 * 60).covers(minute) is inside


def test_a_day_may_end_at_24() -> None:
    assert parse_hours(" 7:30 - 24:00 ") == Hours(450, 1440)


@pytest.mark.parametrize("wrong", ["1GiB", "1GiB/", "/2h", "x/2h", "1GiB/x", 5, ""])
def test_what_is_no_allowance_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="as 1GiB/2h"):
        parse_allowance(wrong)


@pytest.mark.parametrize(
    "wrong", ["25:00-26:00", "01:60-02:00", "1-7", "01:00-01:00", "24:00-1:00"]
)
def test_what_are_no_hours_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="not hours of the day"):
        parse_hours(wrong)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"streams": 0}, "greater than or equal to 1"),
        ({"streams": 65}, "less than or equal to 64"),
        ({"concurrency": 0}, "greater than or equal to 1"),
        ({"requests_per_minute": 0}, "greater than 0"),
        ({"bytes": "0/2h"}, "more than nothing"),
        ({"bytes": "1GiB/0s"}, "more than nothing"),
        ({"bytes": [1]}, "Allowance"),
        ({"failures": "80"}, "as 80/2d"),
        ({"failures": "80/x"}, "not a duration"),
        ({"failures": "0/2d"}, "more than nothing"),
        ({"failures": {}}, "amount"),
        ({"bandwidth": "fast"}, "not a rate"),
        ({"bandwidth": 0}, "more than nothing"),
        ({"bandwidth": [{}]}, "Field required"),
        ({"bandwidth": [{"rate": 1}, {"rate": 2}]}, "put it last"),
        ({"bandwidth": [{"rate": 1, "hours": 7}]}, "hours"),
        ({"bytes_per_window": "1GiB/2h"}, "Extra inputs"),
    ],
)
def test_mistakes_are_refused(written: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        limits(**written)


def test_a_rate_is_bytes_a_second() -> None:
    assert parse_rate("512KiB/s") == parse_rate("512KiB") == parse_rate(524288) == 524288
