"""Manifests as trees: what cannot be written again is refused, keys are put into known orders."""

from __future__ import annotations

import json

import pytest

from entrepot.trust.trees import (
    ALPHABETIC,
    DOCKER,
    MAX_BYTES,
    NOTHING,
    OCI,
    ORDERS,
    RECEIVED,
    WITHOUTS,
    ordered,
    read_tree,
    reduced,
)

TREE = read_tree(
    b'{"layers":[{"digest":"d","size":1,"mediaType":"m","new":1}],"annotations":{"b":"1","a":"2"},'
    b'"config":{"size":1,"digest":"d","mediaType":"m"},"schemaVersion":2,'
    b'"manifests":[{"platform":{"variant":"v8","os":"linux","architecture":"arm64"}}]}'
)


def keys(value: object) -> list[str]:
    assert isinstance(value, dict)
    return list(value)


def inside(tree: dict[str, object], key: str) -> list[str]:
    value = tree[key]
    return keys(value[0] if isinstance(value, list) else value)


def test_docker_writes_the_size_before_the_digest() -> None:
    tree = ordered(TREE, DOCKER)
    assert keys(tree) == ["schemaVersion", "config", "layers", "manifests", "annotations"]
    assert inside(tree, "layers") == ["mediaType", "size", "digest", "new"]
    assert inside(tree, "annotations") == ["a", "b"]
    platform = json.loads(json.dumps(tree))["manifests"][0]["platform"]
    assert keys(platform) == ["architecture", "os", "variant"]


def test_oci_programs_write_the_digest_before_the_size() -> None:
    assert inside(ordered(TREE, OCI), "config") == ["mediaType", "digest", "size"]


def test_the_alphabet_holds_at_every_depth() -> None:
    text = json.dumps(ordered(TREE, ALPHABETIC))
    assert text == json.dumps(TREE, sort_keys=True)


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.name)
def test_an_order_changes_nothing_else(order: object) -> None:
    [same] = [ordered(TREE, known) for known in ORDERS if known is order]
    assert same == TREE


def test_nothing_is_taken_out_and_nothing_turned_round_without_reason() -> None:
    assert ordered(TREE, RECEIVED) is TREE
    assert reduced(TREE, NOTHING) is TREE


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"architecture":"arm64","variant":"v8"}', '{"architecture":"arm64"}'),
        ('{"architecture":"arm","variant":"v7"}', '{"architecture":"arm"}'),
        ('{"a":[{"urls":null,"b":{},"c":[],"d":"","e":0}]}', '{"a":[{"e":0}]}'),
        ('{"schemaVersion":2,"mediaType":"x"}', '{"schemaVersion":2}'),
    ],
)
def test_members_that_a_program_added_are_taken_out(text: str, left: str) -> None:
    tree = read_tree(text.encode())
    assert json.loads(left) in [reduced(tree, without) for without in WITHOUTS]


def test_a_variant_that_is_not_of_a_platform_stays() -> None:
    tree = read_tree(b'{"annotations":{"variant":"v8"}}')
    assert all(reduced(tree, without) == tree for without in WITHOUTS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"a":[' + b"1," * 4096 + b"1]}",
        b"[]",
        b"<html>",
        b"\xff",
        b'{"a":1,"a":2}',
        b'{"a":1.5}',
        b'{"a":1e3}',
        b'{"a":NaN}',
        b'{"a":' + b"[" * 13 + b"]" * 13 + b"}",
        b'{"a":' + b"[" * 60_000 + b"]" * 60_000 + b"}",
        b'{"a":"' + b"x" * MAX_BYTES + b'"}',
        b'{"a":' + b"9" * 5000 + b"}",
    ],
    ids=[
        "none",
        "many",
        "list",
        "page",
        "bytes",
        "twice",
        "half",
        "exponent",
        "nan",
        "deep",
        "abyss",
        "long",
        "huge",
    ],
)
def test_what_cannot_be_written_again_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_tree(body)
