"""The order that is suggested, and what of the settings is shown."""

from __future__ import annotations

from dataclasses import replace

from entrepot.survey.asking import State
from entrepot.survey.findings import Examination, Finding, Ranges, Transfer
from entrepot.survey.suggestion import HIDDEN, changes, hidden, suggest
from entrepot.trust.fidelity import Fidelity
from unit.survey.surveyed import PAUSE
from unit.survey.test_findings import GOOD


def fast(rate: float, finding: Finding = GOOD) -> Finding:
    return replace(finding, transfer=Transfer(bytes_per_second=rate, ranges=Ranges.HONEST))


def examined(*findings: Finding) -> Examination:
    numbered = (replace(one, place=place) for place, one in enumerate(findings, start=1))
    return Examination(PAUSE, tuple(numbered))


def order(*findings: Finding) -> list[object]:
    written = {"mirrors": list(range(1, len(findings) + 1))}
    return [one.settings for one in suggest(examined(*findings), written)]


RESERIALISED = replace(GOOD, fidelity=Fidelity.RESERIALISED, pinned=False)
OTHER = replace(GOOD, fidelity=Fidelity.OTHER, pinned=False)
SILENT = replace(GOOD, state=State.SILENT, fidelity=None, pinned=None)
WRONG_RANGES = replace(GOOD, transfer=Transfer(ranges=Ranges.WRONG, bytes_per_second=9e9))


def test_faithful_before_fast_before_useless_before_silent() -> None:
    assert order(SILENT, OTHER, fast(9e6, RESERIALISED), fast(1e6), fast(2e6)) == [5, 4, 3, 2, 1]
    assert order(WRONG_RANGES, GOOD) == [2, 1]
    assert order(GOOD, GOOD) == [1, 2]


def test_the_reason_stands_beside() -> None:
    broken = replace(GOOD, transfer=Transfer(sound=False))
    written = {"mirrors": ["a", "b", "c", "d"]}
    whys = [one.why for one in suggest(examined(fast(2 << 20), OTHER, SILENT, broken), written)]
    assert whys == ["verbatim, 2.0 MiB/s", "verbatim, sends wrong bytes", "other", "silent"]


def test_no_change_is_no_change() -> None:
    assert not changes(examined(GOOD, RESERIALISED, OTHER))
    assert changes(examined(OTHER, GOOD))


def test_settings_that_do_not_fit_are_not_guessed_about() -> None:
    assert suggest(examined(GOOD, GOOD), {"mirrors": ["a"]}) == ()
    assert suggest(examined(GOOD), {}) == ()


def test_secrets_are_not_shown() -> None:
    written = {
        "url": "https://m.example",
        "headers": {"X-Key": "s3cret"},
        "credentials": {"username": "me", "password": "s3cret"},
        "proxy": "http://me:s3cret@proxy.example:3128",
        "redirects": [{"host": "a.example", "proxy": "socks5://u:s3cret@p.example:1080"}],
        "addresses": ["192.0.2.7"],
    }
    shown = hidden(written)
    assert "s3cret" not in str(shown)
    assert isinstance(shown, dict)
    assert shown["headers"] == {"X-Key": HIDDEN}
    assert shown["credentials"] == {"username": "me", "password": HIDDEN}
    assert shown["addresses"] == ["192.0.2.7"]
    assert str(shown["proxy"]).removesuffix("/") == f"http://{HIDDEN}@proxy.example:3128"
