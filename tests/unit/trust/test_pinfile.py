"""The text of pin files: YAML of one shape, read by lines, written always the same."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName
from entrepot.trust.pinfile import (
    PinEntry,
    PinFile,
    PinsInvalid,
    line_of,
    read_pin_file,
    write_pin_file,
)

A, B = Digest.of(b"a"), Digest.of(b"b")
HEAD = ["schema: 1", "source: a test", "date: 2026-11-24", "pins:"]

digests = st.binary(max_size=4).map(Digest.of)
entries = st.builds(
    PinEntry,
    registry=st.sampled_from(["registry.k8s.io", "localhost:5000", "[::1]:5000", "docker.io"]),
    repository=st.sampled_from(["pause", "coredns/coredns", "a.b/c__d/e-f"]).map(
        RepositoryName.parse
    ),
    tag=st.text("aZ09_.-", min_size=1, max_size=8).filter(lambda tag: tag[0] not in ".-"),
    digests=st.lists(digests, min_size=1, max_size=3, unique=True).map(tuple),
    note=st.sampled_from(["", "authority", "said: who # knows"]),
)
entry_lists = st.lists(entries, max_size=6, unique_by=lambda entry: entry.image)


def read(*lines: str) -> PinFile:
    return read_pin_file("a.yaml", [*HEAD, *lines])


def entry(tag: str, *found: Digest, registry: str = "registry.k8s.io") -> PinEntry:
    return PinEntry(registry, RepositoryName("pause"), tag, found or (A,))


def test_one_image_a_line() -> None:
    file = read(f"  registry.k8s.io/pause:3.1: {A}", f"  localhost:5000/a/b:v1: {B} # who said so")
    assert (file.name, file.source, file.date) == ("a.yaml", "a test", "2026-11-24")
    assert list(file) == [
        entry("3.1"),
        PinEntry("localhost:5000", RepositoryName("a/b"), "v1", (B,)),
    ]
    [record] = file.tags["localhost:5000/a/b"].values()
    assert line_of(record) == 6
    assert file.where(record) == "a.yaml:6"
    assert len(file) == 2


def test_alternatives_keep_their_order() -> None:
    [found] = read(f"  registry.k8s.io/pause:3.1: [{B}, {A}]")
    assert found.digests == (B, A)


def test_blank_lines_comments_and_windows_line_ends_are_nothing() -> None:
    lines = ["# why", "", *HEAD, "  # more", f"  registry.k8s.io/pause:3.1: {A}"]
    assert list(read_pin_file("a", [f"{line}\r\n" for line in lines])) == [entry("3.1")]


def test_an_empty_file_of_pins() -> None:
    assert len(read_pin_file("a", ["schema: 1", "pins: {}"])) == 0


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"  pause:3.1: {A}", "does not begin with a registry"),
        (f"  Registry/pause:3.1: {A}", "does not begin with a registry"),
        (f"  registry.k8s.io/Pause:3.1: {A}", "no repository name"),
        (f"  registry.k8s.io/pause: {A}", "not a pin"),
        (f"registry.k8s.io/pause:3.1: {A}", "not a pin"),
        ("  registry.k8s.io/pause:3.1: sha256:abc", "not a pin"),
        (f"  registry.k8s.io/pause:3.1: {str(A).upper()}", "not a pin"),
        (f"  registry.k8s.io/pause:3.1: {A} trailing", "not a pin"),
        (f"  registry.k8s.io/pause:3.1: [{A}, {A}]", "different digests"),
        ("  registry.k8s.io/pause:3.1: []", "different digests"),
        ("source: again", "source is given twice"),
        ("what: ever", "not a pin"),
    ],
)
def test_anything_else_is_refused_with_its_line(line: str, problem: str) -> None:
    with pytest.raises(PinsInvalid, match=problem) as caught:
        read(line)
    [found] = caught.value.problems
    assert found.startswith("a.yaml:5: ")


def test_the_same_tag_twice_is_refused_even_when_it_agrees() -> None:
    line = f"  registry.k8s.io/pause:3.1: {A}"
    with pytest.raises(PinsInvalid, match=r"a\.yaml:6: .* stands on line 5 already"):
        read(line, line)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "`schema:` is missing"),
        (["schema: 1"], "`pins:` is missing"),
        (["schema: 2", "pins:"], "schema 2: this version reads schema 1 only"),
        (["schema: 1", "pins: [1]"], "pins begin on the next line"),
        (["schema: 1", f"  registry.k8s.io/pause:3.1: {A}"], "after `pins:`"),
    ],
)
def test_the_head_must_be_there(lines: list[str], problem: str) -> None:
    with pytest.raises(PinsInvalid, match=problem):
        read_pin_file("a.yaml", lines)


def test_every_mistake_is_told_but_not_thousands() -> None:
    with pytest.raises(PinsInvalid, match="and 10 more") as caught:
        read(*["nonsense"] * 30)
    assert len(caught.value.problems) == 30
    assert str(caught.value).count("\n") == 20


def test_versions_are_sorted_as_numbers() -> None:
    text = write_pin_file(
        [entry(tag) for tag in ("3.10", "latest", "3.9", "3.10.1", "3.1-rc.2", "3.1")],
        source="x",
        date="2026-11-24",
    )
    assert [found.tag for found in read_pin_file("a", text.splitlines())] == [
        "3.1",
        "3.1-rc.2",
        "3.9",
        "3.10",
        "3.10.1",
        "latest",
    ]


def test_only_sha256_is_written() -> None:
    for digests_ in ((), (Digest("sha512", "0" * 128),)):
        bad = PinEntry("registry.k8s.io", RepositoryName("pause"), "1", digests_)
        with pytest.raises(ValueError, match="SHA-256"):
            write_pin_file([bad], source="x", date="y")


def bare(found: PinEntry) -> PinEntry:
    return PinEntry(found.registry, found.repository, found.tag, found.digests)


@given(entry_lists)
def test_what_is_written_is_read_again_whatever_the_order(written: list[PinEntry]) -> None:
    text = write_pin_file(written, source="a: b # c", date="2026-11-24", comment=["one", ""])
    again = write_pin_file(written[::-1], source="a: b # c", date="2026-11-24", comment=["one", ""])
    assert again == text
    file = read_pin_file("a", text.splitlines())
    assert {bare(found) for found in file} == {bare(found) for found in written}
    assert text.endswith("\n")


@given(entry_lists)
def test_any_yaml_reader_understands_it(written: list[PinEntry]) -> None:
    text = write_pin_file(written, source="a: b # c", date="2026-11-24")
    found = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    pins = {
        image: value if isinstance(value, list) else [value]
        for image, value in found["pins"].items()
    }
    assert pins == {entry.image: [str(digest) for digest in entry.digests] for entry in written}
    assert found["source"] == "a b c"


@given(st.lists(st.text(max_size=30), max_size=6))
def test_any_text_is_read_or_refused(lines: list[str]) -> None:
    with contextlib.suppress(PinsInvalid):
        read(*lines)
