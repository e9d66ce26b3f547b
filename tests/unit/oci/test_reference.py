"""The grammar of names and tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import DigestInvalid, NameInvalid, TagInvalid
from entrepot.oci.digest import Digest
from entrepot.oci.reference import RepositoryName, Tag, parse_reference

pytestmark = pytest.mark.rule("S-9")


@pytest.mark.parametrize(
    "text",
    ["pause", "coredns/coredns", "a/b/c/d", "manifests/blobs", "a__b", "a_b", "a.b", "a---b", "0"],
)
def test_names_of_the_grammar_are_accepted(text: str) -> None:
    assert RepositoryName.parse(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "a/", "/a", "a//b", "..", "a/../b", "a..b", "a._b", "a___b", "-a", "a-", "a/-b"),
        *("Pause", "a b", "a\\b", "a%2Fb", "a:b", "é", "a\n", "a\x00", "a" * 256),
    ],
)
def test_names_outside_the_grammar_are_refused(text: str) -> None:
    with pytest.raises(NameInvalid):
        RepositoryName.parse(text)


def test_the_longest_name_has_255_characters() -> None:
    assert len(RepositoryName.parse("a" * 255)) == 255


@pytest.mark.parametrize("text", ["3.1", "latest", "_", "V1", "a" * 128, "sha256-abc.sig"])
def test_tags_of_the_grammar_are_accepted(text: str) -> None:
    assert Tag.parse(text) == text


@pytest.mark.parametrize("text", ["", ".a", "-a", "a" * 129, "a/b", "a b", "a%3Ab", "é", "a\n"])
def test_tags_outside_the_grammar_are_refused(text: str) -> None:
    with pytest.raises(TagInvalid):
        Tag.parse(text)


def test_a_colon_makes_a_reference_a_digest() -> None:
    digest = Digest.of(b"")
    assert parse_reference(str(digest)) == digest
    assert isinstance(parse_reference("sha256"), Tag)
    with pytest.raises(DigestInvalid):
        parse_reference("sha256:baddigeststring")


@given(st.text() | st.text("ab./_-", max_size=300))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        name = RepositoryName.parse(text)
    except NameInvalid:
        return
    assert all(part not in ("", ".", "..") for part in name.split("/"))


@given(st.text() | st.text("ab.:_-", max_size=140))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        reference = parse_reference(text)
    except (TagInvalid, DigestInvalid):
        return
    assert str(reference) == text
