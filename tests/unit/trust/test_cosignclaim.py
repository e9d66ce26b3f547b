"""What signed payloads and statements say, and what they may not leave out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci.digest import Digest
from entrepot.trust.cosignclaim import Claim, read_payload, read_statement
from fakes.cosign import PROVENANCE, payload, statement

IMAGE = Digest.of(b"image")


def test_a_payload_names_an_image_and_what_it_was_called() -> None:
    assert read_payload(payload(IMAGE, "quay.io/team/app")) == Claim(
        frozenset({IMAGE}), "quay.io/team/app"
    )


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("quay.io/team/app", "quay.io/team/app"),
        ("quay.io/team/app:1.0", "quay.io/team/app"),
        (f"quay.io:443/team/app:1.0@{IMAGE}", "quay.io:443/team/app"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx"),
        ("localhost:5000/app", "localhost:5000/app"),
        ("app:1", "app"),
        ("", ""),
    ],
)
def test_the_repository_of_a_claim(reference: str, repository: str) -> None:
    assert Claim(frozenset(), reference).repository == repository


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (payload(IMAGE, kind="atomic container signature"), "not a cosign container image"),
        (b'{"critical": {"type": "cosign container image signature"}}', "names no image"),
        (
            payload(IMAGE).replace(b'"sha256:', b'"sha1:'),
            "names no image",
        ),
        (b"[]", "not a cosign"),
        (b"\xff", "not JSON"),
    ],
)
def test_other_payloads_are_refused(body: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_payload(body)


def test_a_statement_names_images() -> None:
    assert read_statement(statement(IMAGE)) == Claim(frozenset({IMAGE}))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (statement(IMAGE, PROVENANCE), "an attestation"),
        (b'{"_type": "x"}', "not an in-toto statement"),
        (
            statement(IMAGE).replace(b'"sha256":', b'"sha1":'),
            "names no image",
        ),
    ],
)
def test_other_statements_are_refused(body: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_statement(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["critical", "type", "image", "subject", "digest", "_type"]), inner
        )
    ),
)


@given(JSON)
def test_whatever_was_signed_is_read_or_refused(value: object) -> None:
    for read in (read_payload, read_statement):
        with pytest.raises(ValueError):
            read(json.dumps(value).encode())
