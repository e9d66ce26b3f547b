"""How mistakes are told."""

import pytest

from entrepot.config.problems import ConfigError, Place, Problem, nearest, show_value, write_place


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ((), ""),
        (("listen", 0, "registry"), "listen[0].registry"),
        (
            ("registries", "registry.k8s.io", "mirrors", 0, "urll"),
            'registries["registry.k8s.io"].mirrors[0].urll',
        ),
        (("registries", 'a"b'), 'registries["a\\"b"]'),
    ],
)
def test_place_is_written_without_doubt(place: Place, text: str) -> None:
    assert write_place(place) == text


def test_problem_is_one_line() -> None:
    assert (
        str(Problem("f.yaml", 3, "log.level", "is odd", '"inf"', "info"))
        == 'f.yaml:3: log.level: is odd (value "inf"; did you mean info?)'
    )
    assert str(Problem("f.yaml", 3, "a", "is odd", "1")) == "f.yaml:3: a: is odd (value 1)"
    assert str(Problem("f.yaml", 0, "", "is odd")) == "f.yaml: is odd"


def test_error_has_all_problems_in_its_text() -> None:
    problems = [Problem("f", 1, "a", "x"), Problem("f", 2, "b", "y")]
    error = ConfigError(problems)
    assert error.problems == tuple(problems)
    assert str(error) == "f:1: a: x\nf:2: b: y"


@pytest.mark.parametrize(
    ("place", "value", "shown"),
    [
        (("a",), "x", '"x"'),
        (("a",), 5, "5"),
        (("a",), True, "true"),
        (("a",), None, ""),
        (("a",), {"password": "hunter2"}, ""),
        (("a",), ["hunter2"], ""),
        (("m", "credentials", "password"), "hunter2", ""),
        (("m", "proxy_credentials", "password"), "hunter2", ""),
        (("m", "headers", "X-Token"), "hunter2", ""),
        (("m", "url"), "https://u:hunter2@h/x", '"https://***@h/x"'),
        (("a",), "x" * 200, '"' + "x" * 59 + "…"),
    ],
)
def test_value_is_shown_unless_it_may_be_secret(place: Place, value: object, shown: str) -> None:
    assert show_value(place, value) == shown


def test_nearest_word_is_found_unless_nothing_is_near() -> None:
    assert nearest("urll", ["name", "url"]) == "url"
    assert nearest("Listen", ["listen"]) == "listen"
    assert nearest("zzz", ["listen"]) == ""
