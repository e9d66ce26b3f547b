"""YAML as data that knows its lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.config.document import document_without_text, read_document, read_sections
from entrepot.config.problems import ConfigError


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "~", "---\n"])
def test_empty_file_is_an_empty_mapping(text: str) -> None:
    document = read_document("f", text)
    assert (document.data, document.problems) == ({}, ())


def test_every_place_has_its_line() -> None:
    text = "a:\n  - x\n  - b: 1\n    c: 2\nd: {e: 3}\n"
    document = read_document("f", text)
    assert document.data == {"a": ["x", {"b": 1, "c": 2}], "d": {"e": 3}}
    assert document.lines == {
        ("a",): 1,
        ("a", 0): 2,
        ("a", 1): 3,
        ("a", 1, "b"): 3,
        ("a", 1, "c"): 4,
        ("d",): 5,
        ("d", "e"): 5,
    }


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("017", 17),
        ("-3", -3),
        ("1.5", 1.5),
        ("on", "on"),
        ("no", "no"),
        ("5000:50", "5000:50"),
        ("2026-01-01", "2026-01-01"),
        ("0x1f", "0x1f"),
        ("1e3", "1e3"),
        ("9" * 30, "9" * 30),
        ('"5"', "5"),
        ("!!str 5", "5"),
    ],
)
def test_only_plain_numbers_and_truths_are_not_text(written: str, value: object) -> None:
    read = read_document("f", f"k: {written}").data["k"]
    assert read == value
    assert type(read) is type(value)


def test_keys_are_text_whatever_they_look_like() -> None:
    assert read_document("f", "5000: a\ntrue: b\n").data == {"5000": "a", "true": "b"}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, "not YAML: a tab"),
        ("a: *gone\n", 1, "begins with * needs quotes"),
        ("- a\n- b\n", 1, "lines of `key: value`"),
        ("just text\n", 1, "lines of `key: value`"),
        ("a: 1\n---\nb: 2\n", 2, "single document"),
        ("a: 1\nb: \x01\n", 2, "not YAML: special characters"),
    ],
)
def test_what_is_no_settings_file_is_refused_with_its_line(
    text: str, line: int, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_document("f", text)
    (problem,) = caught.value.problems
    assert problem.line == line
    assert message in problem.message
    assert "\n" not in str(problem)


@pytest.mark.parametrize(
    ("text", "line", "path", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a", "given twice, first on line 1"),
        ("r:\n  x.y: 1\n  x.y: 2\n", 3, 'r["x.y"]', "given twice, first on line 2"),
        ("a: !!python/name:os.system x\n", 1, "a", "cannot be read as python/name"),
        ("a: !!int ten\n", 1, "a", "cannot be read as int"),
        ("a: !!bool yes\n", 1, "a", "cannot be read as bool"),
        ("a: {[1]: 2}\n", 1, "a", "must be plain text"),
        ("a: &x\n  b: *x\n", 1, "a.b", "contains itself"),
    ],
)
def test_smaller_mistakes_are_collected(text: str, line: int, path: str, message: str) -> None:
    (problem,) = read_document("f", text).problems
    assert (problem.line, problem.path) == (line, path)
    assert message in problem.message


def test_first_of_two_equal_keys_is_kept_so_that_the_rest_can_be_checked() -> None:
    assert read_document("f", "a: 1\na: 2\n").data == {"a": 1}


def test_anchor_may_be_used_again() -> None:
    document = read_document("f", "a: &m [x]\nb: *m\n")
    assert document.data == {"a": ["x"], "b": ["x"]}
    assert document.problems == ()


def test_problem_of_form_shows_nothing_of_the_text() -> None:
    with pytest.raises(ConfigError) as caught:
        read_document("f", "password: hunter2: [\n")
    assert "hunter2" not in str(caught.value)


def test_settings_that_stand_in_no_file_have_places_without_lines() -> None:
    document = document_without_text("the command line", {"a": {"b": ["c", "d"]}})
    assert document.data == {"a": {"b": ["c", "d"]}}
    assert document.lines == dict.fromkeys(
        [(), ("a",), ("a", "b"), ("a", "b", 0), ("a", "b", 1)], 0
    )


@given(st.text(alphabet="ab:-[]{}&*!# \n\t\"'|>,?%@", max_size=40))
def test_any_text_is_read_or_refused_with_a_config_error(text: str) -> None:
    try:
        read_document("f", text)
    except ConfigError as error:
        refused = error
    else:
        return
    assert refused.problems


@pytest.mark.parametrize(
    "text",
    [
        "log: [\nadmin: 127.0.0.1:1\ncache:\n  path: x\nregistries: }\n",
        "\t\nadmin: 127.0.0.1:1\ncache:\n# that\n\n  path: x\n",
        "'admin': 127.0.0.1:1\n\"cache\": {\n path: x\n}\n@\n",
    ],
    ids=["brackets", "tab", "quoted"],
)
def test_sections_are_read_though_the_rest_is_not_yaml(text: str) -> None:
    with pytest.raises(ConfigError):
        read_document("f", text)
    document = read_sections("f", text, {"admin", "cache"})
    assert document.data == {"admin": "127.0.0.1:1", "cache": {"path": "x"}}
    assert document.lines["cache",] == text[: text.index("cache")].count("\n") + 1


@pytest.mark.parametrize("text", ["admin: [\n", "[", "{admin: 1, ["])
def test_sections_that_are_not_yaml_themselves_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        read_sections("f", text, {"admin"})
