"""Every known way to write a manifest is tried, and their number is bounded."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.trust.forms import LAYOUTS, MAX_FORMS, forms
from entrepot.trust.trees import RECEIVED, read_tree

DATA = Path(__file__).parents[2] / "data"
INDEX = (DATA / "pause-3.1.index.json").read_bytes()


def texts(body: bytes) -> list[str]:
    return [text.decode() for text, _ in forms(read_tree(body))]


def test_dockers_own_form_is_the_first_one_tried() -> None:
    body, form = next(forms(read_tree(INDEX)))
    assert body == INDEX
    assert str(form) == "3 spaces, keys as received"


def test_each_text_is_tried_once_and_says_how_it_is_written() -> None:
    found = list(forms(read_tree(INDEX)))
    assert len({body for body, _ in found}) == len(found) <= MAX_FORMS == 840
    assert len({str(form) for _, form in found}) == len(found)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":[1,{"b":{}}],"c":[]}',
        '{"a": [1, {"b": {}}], "c": []}',
        '{\n  "a": [\n    1,\n    {\n      "b": {}\n    }\n  ],\n  "c": []\n}',
        '{\n\t"a": [\n\t\t1,\n\t\t{\n\t\t\t"b": {}\n\t\t}\n\t],\n\t"c": []\n}\n',
        '{\n    "a": [\n        1,\n        {\n            "b": {}\n        }\n    ]\n}',
    ],
    ids=["compact", "one line", "two", "tabs", "four"],
)
def test_each_layout_is_written(text: str) -> None:
    found = texts(b'{"a":[1,{"b":{}}],"c":[]}') + texts(b'{"a":[1,{"b":{}}]}')
    assert text in found


def test_go_escapes_what_stands_in_html() -> None:
    found = texts('{"a":"<x> & \u2028ü"}'.encode())
    assert '{"a":"\\u003cx\\u003e \\u0026 \\u2028ü"}' in found
    assert '{"a":"<x> & \u2028ü"}' in found
    assert texts(b'{"a":"\\u003cx\\u003e \\u0026 \\u2028\xc3\xbc"}') == found


@pytest.mark.parametrize(
    ("added", "without"),
    [
        ('{"platform":{"architecture":"arm64","os":"linux","variant":"v8"}}', "variant"),
        ('{"platform":{"architecture":"arm","os":"linux","variant":"v7"}}', "variant"),
        ('{"annotations":{},"urls":null}', "urls"),
        ('{"schemaVersion":2,"mediaType":"x","config":{"mediaType":"y"}}', '"mediaType":"x"'),
    ],
)
def test_members_that_a_program_added_are_taken_out(added: str, without: str) -> None:
    compact = [text for text in texts(added.encode()) if " " not in text and "\n" not in text]
    assert added in compact
    assert any(without not in text for text in compact)


def test_a_variant_that_is_not_of_a_platform_stays() -> None:
    assert all("variant" in text for text in texts(b'{"annotations":{"variant":"v8"}}'))


def test_half_a_surrogate_pair_is_written_in_no_form() -> None:
    assert texts(b'{"a":"\\ud800"}') == []


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)
trees = st.dictionaries(st.text(max_size=8), values, max_size=5)


@given(trees, st.sampled_from([None, 1, 2, 3, 4, "\t"]), st.booleans())
def test_any_layout_of_any_document_comes_back_from_any_other(
    tree: dict[str, object], indent: int | str | None, line_end: bool
) -> None:
    """Whatever a mirror's white space, the known layouts are all written."""
    try:
        received = json.dumps(tree, indent=indent, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    end = "\n" if line_end else ""
    try:
        found = {text.decode() for text, _ in forms(read_tree(received), orders=[RECEIVED])}
    except ValueError:
        return
    for layout in LAYOUTS:
        separators = (layout.comma, layout.colon)
        text = json.dumps(tree, ensure_ascii=False, indent=layout.indent, separators=separators)
        assert text + end in found


def test_the_worst_document_is_done_in_bounded_work() -> None:
    """Every order and every omission makes another text of it; the time is for people only."""
    odd = '{"size":1,"digest":"&","variant":"v8","architecture":"arm64","mediaType":"","e":{}}'
    body = f'{{"z":[{",".join([odd] * 580)}],"mediaType":"","schemaVersion":2}}'.encode()
    started = time.perf_counter()
    count = sum(1 for _ in forms(read_tree(body)))
    print(f"{count} texts of {len(body)} bytes in {time.perf_counter() - started:.2f} s")
    assert 400 < count <= MAX_FORMS
