"""Documents laid over each other."""

import pytest

from entrepot.config.document import read_document
from entrepot.config.layering import Layers
from entrepot.config.problems import Problem

BELOW = """\
listen: 0.0.0.0:5000
admin: 127.0.0.1:5001
log:
  format: text
  level: info
registries:
  docker.io: {mirrors: [https://a, https://b]}
  quay.io: {mirrors: [https://q]}
"""


def lay(above: str) -> Layers:
    layers = Layers()
    layers.lay(read_document("below", BELOW))
    layers.lay(read_document("above", above))
    return layers


def test_empty_file_changes_nothing() -> None:
    assert lay("").data == read_document("below", BELOW).data


def test_mappings_merge_key_by_key_and_the_rest_is_replaced() -> None:
    layers = lay("listen: [127.0.0.1:0]\nlog: {level: debug}\n")
    assert layers.data["listen"] == ["127.0.0.1:0"]
    assert layers.data["log"] == {"format": "text", "level": "debug"}
    assert layers.origin(("log", "level")) == ("above", 2)
    assert layers.origin(("log", "format")) == ("below", 4)


def test_registry_that_is_given_replaces_the_one_below() -> None:
    layers = lay("registries:\n  docker.io: {mirrors: [https://c]}\n")
    assert layers.data["registries"] == {
        "docker.io": {"mirrors": ["https://c"]},
        "quay.io": {"mirrors": ["https://q"]},
    }
    assert layers.origin(("registries", "docker.io", "mirrors", 0)) == ("above", 2)
    assert ("registries", "docker.io", "mirrors", 1) not in layers.origins


ALIASED = """
registries:
  k8s: {aliases: [old, older], mirrors: [https://k]}
"""


@pytest.mark.parametrize(
    ("above", "aliases"),
    [
        ("k8s: {mirrors: [https://m]}", ["old", "older"]),
        ("k8s: {mirrors: [https://m], aliases: [new]}", ["new"]),
        ("k8s: {mirrors: [https://m], aliases: []}", []),
        ("k8s: {mirrors: [https://m], aliases: null}", None),
        ("{k8s: {mirrors: [https://m]}, old: {mirrors: [https://o]}}", ["older"]),
    ],
    ids=["none written", "others", "empty", "nothing", "one is a registry now"],
)
def test_a_registry_keeps_its_aliases_unless_others_are_written(
    above: str, aliases: list[str] | None
) -> None:
    layers = Layers()
    layers.lay(read_document("below", ALIASED))
    layers.lay(read_document("above", f"registries:\n  {above}\n"))
    registries = layers.data["registries"]
    assert isinstance(registries, dict)
    assert registries["k8s"] == {"mirrors": ["https://m"], "aliases": aliases}


def test_null_takes_a_registry_out() -> None:
    layers = lay("registries: {docker.io: null}\n")
    assert layers.data["registries"] == {"quay.io": {"mirrors": ["https://q"]}}
    assert layers.problems == []


def test_taking_out_what_is_not_there_is_a_mistake() -> None:
    layers = lay("registries:\n  dockr.io: null\n")
    message = "takes out a registry that is not there"
    assert layers.problems == [
        Problem("above", 2, 'registries["dockr.io"]', message, suggestion="docker.io")
    ]


def test_heading_without_lines_changes_nothing_but_admin_goes_off() -> None:
    layers = lay("log:\nregistries:\nlisten:\nadmin:\n")
    below = read_document("below", BELOW).data
    assert layers.data == {**below, "admin": None}


def test_place_that_is_not_in_the_file_has_the_line_of_what_is_round_it() -> None:
    layers = lay("registries:\n  quay.io: {mirrors: [https://q]}\n")
    place = ("registries", "quay.io", "mirrors", 0, "url")
    assert layers.known(place) == place[:-1]
    assert layers.origin(place) == ("above", 2)
    assert layers.origin(("nowhere",)) == ("above", 0)
    assert (layers.height(place), layers.height(("log", "level"))) == (1, 0)


def test_value_is_found_or_none() -> None:
    layers = lay("")
    assert layers.value(("registries", "docker.io", "mirrors", 1)) == "https://b"
    assert layers.value(("registries", "docker.io", "mirrors", 2)) is None
    assert layers.value(("listen", 0)) is None


def test_problem_has_the_value_and_the_nearest_choice() -> None:
    problem = lay("log: {level: inf}\n").problem(("log", "level"), "is odd", choices=["info"])
    assert str(problem) == 'above:1: log.level: is odd (value "inf"; did you mean info?)'


def test_mistakes_of_every_document_are_kept() -> None:
    assert [problem.path for problem in lay("a: 1\na: 2\n").problems] == ["a"]
