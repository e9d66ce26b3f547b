"""Pins are found by name, and which file wins is decided by rank."""

from __future__ import annotations

import re
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci.digest import Digest
from entrepot.trust.pinfile import PinFile, PinsInvalid, read_pin_file
from entrepot.trust.pins import Pin, Pins, combine

A, B, C = (Digest.of(data) for data in (b"a", b"b", b"c"))
K8S = "registry.k8s.io"
MANY = 20_000


def file(name: str, **tags: str) -> PinFile:
    """Make a file of pause pins: v1=A means pause:v1."""
    lines = ["schema: 1", f"source: of {name}", "date: 2026-11-24", "pins:"]
    lines += [f"  {K8S}/pause:{tag}: {value}" for tag, value in tags.items()]
    return read_pin_file(name, lines)


def test_a_pin_is_found_by_its_canonical_name() -> None:
    pins = combine([file("a.yaml", v1=str(A))])
    assert pins.digest(K8S, "pause", "v1") == A
    assert pins.pin(K8S, "pause", "v1") == Pin((A,), "a.yaml", 5, "of a.yaml", "2026-11-24")
    assert pins.digest(K8S, "pause", "v2") is None
    assert pins.digest(K8S, "kubernetes/pause", "v1") is None
    assert pins.digest("k8s.gcr.io", "pause", "v1") is None


def test_no_pins_at_all() -> None:
    assert Pins().pin(K8S, "pause", "v1") is None
    assert list(combine()) == []


def test_alternatives_are_all_right_and_the_first_is_served() -> None:
    pin = combine([file("a", v1=f"[{B}, {A}]")]).pin(K8S, "pause", "v1")
    assert pin is not None
    assert pin.digest == B
    assert pin.allows(A)
    assert not pin.allows(C)
    assert pin.where == "a:5"
    assert Pin((A,), "the command line").where == "the command line"


def test_a_lock_wins_over_what_is_shipped() -> None:
    pins = combine([file("lock", v1=str(B))], [file("shipped", v1=str(A), v2=str(A))])
    assert pins.digest(K8S, "pause", "v1") == B
    assert pins.digest(K8S, "pause", "v2") == A
    assert len(pins) == 2
    assert [(entry.tag, entry.digests) for entry in pins] == [("v1", (B,)), ("v2", (A,))]


def test_equals_that_contradict_are_an_error_that_names_both_places() -> None:
    with pytest.raises(PinsInvalid) as caught:
        combine([file("a", v1=str(A)), file("b", v0=str(C), v1=str(B))])
    [problem] = caught.value.problems
    assert problem == f"b:6: {K8S}/pause:v1 is {B} here, {A} in a:5"


def test_equals_that_agree_are_no_error() -> None:
    one, other = file("a", v1=f"[{A}, {B}]"), file("b", v1=f"[{B}, {A}]")
    assert combine([one, other]).digest(K8S, "pause", "v1") == A
    assert combine([other, one]).digest(K8S, "pause", "v1") == B


def test_a_contradiction_is_found_even_where_a_higher_rank_decides() -> None:
    with pytest.raises(PinsInvalid):
        combine([file("lock", v1=str(C))], [file("a", v1=str(A)), file("b", v1=str(B))])


ranks = st.lists(
    st.dictionaries(st.sampled_from(["v1", "v2", "v3"]), st.sampled_from([A, B, C])), max_size=4
)


@given(ranks)
def test_the_first_rank_that_has_a_tag_decides(found: list[dict[str, Digest]]) -> None:
    files = [
        [file(str(number), **{tag: str(digest) for tag, digest in tags.items()})]
        for number, tags in enumerate(found)
    ]
    pins = combine(*files)
    merged = {tag: digest for tags in reversed(found) for tag, digest in tags.items()}
    assert {entry.tag: entry.digests[0] for entry in pins} == merged
    assert len(pins) == len(merged)
    for tag in ("v1", "v2", "v3"):
        assert pins.digest(K8S, "pause", tag) == merged.get(tag)


def test_pins_cost_little_memory() -> None:
    """A hundred thousand, twice what the promoter's files hold, are to cost 50 MB at most."""
    lines = ["schema: 1", "pins:"]
    lines += [
        f"  {K8S}/group-{number % 200}/image:v1.{number}.0: {Digest.of(str(number).encode())}"
        for number in range(MANY)
    ]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        pins = combine([read_pin_file("many", lines)])
        held, peak = (value - before for value in tracemalloc.get_traced_memory())
    finally:
        tracemalloc.stop()
    started = time.perf_counter()
    read_pin_file("many", lines)
    print(f"{MANY} pins: {held / 1e6:.1f} MB held, {peak / 1e6:.1f} MB at most")
    print(f"read in {time.perf_counter() - started:.2f} s")
    assert pins.digest(K8S, "group-199/image", "v1.19999.0") == Digest.of(b"19999")
    assert peak < 50e6 * MANY / 100_000


def test_nothing_is_kept_as_a_digest_object() -> None:
    [tags] = file("a", v1=str(A)).tags.values()
    assert re.fullmatch(rb"\x00\x00\x00\x05.{32}", tags["v1"], re.DOTALL)
