"""Digests parse strictly and prove bytes."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import DigestInvalid
from entrepot.oci.digest import Digest

HELLO = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.mark.rule("F-8", "S-9")
@pytest.mark.parametrize("text", [HELLO, f"sha512:{hashlib.sha512(b'hello').hexdigest()}"])
def test_known_algorithms_round_trip_and_prove_their_bytes(text: str) -> None:
    digest = Digest.parse(text)
    assert str(digest) == text
    assert digest.matches(b"hello")
    assert not digest.matches(b"hellp")
    assert digest.hasher().hexdigest() != digest.hex


@pytest.mark.rule("S-9", "N-9")
@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "sha256",
        "sha256:",
        "sha256:baddigeststring",
        HELLO.upper(),
        HELLO.replace("2cf2", "2CF2"),
        HELLO[:-1],
        HELLO + "0",
        HELLO + "\n",
        HELLO.replace("sha256", "sha512"),
        f"md5:{'0' * 32}",
        HELLO.replace(":", "-"),
        f"sha256:{chr(0x660) * 64}",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(DigestInvalid):
        Digest.parse(text)


def test_constructing_refuses_what_parsing_refuses() -> None:
    with pytest.raises(DigestInvalid, match="64 digits"):
        Digest("sha256", "../../etc/passwd")


def test_of_names_by_sha256() -> None:
    assert str(Digest.of(b"hello")) == HELLO


def test_hasher_agrees_with_the_name_however_the_bytes_are_cut() -> None:
    digest = Digest.parse(HELLO)
    hasher = digest.hasher()
    hasher.update(b"he")
    hasher.update(memoryview(b"llo"))
    assert hasher.hexdigest() == digest.hex


def test_digests_are_values_in_an_order() -> None:
    one, two = Digest.of(b"1"), Digest.of(b"2")
    assert Digest.of(b"1") == one
    assert {one, two, Digest.of(b"2")} == {one, two}
    assert sorted([one, two]) == sorted([one, two], key=str)


@given(st.text() | st.text("0123456789abcdef", min_size=60, max_size=66).map("sha256:{}".format))
def test_any_text_is_a_digest_or_refused(text: str) -> None:
    try:
        digest = Digest.parse(text)
    except DigestInvalid:
        return
    assert str(digest) == text
