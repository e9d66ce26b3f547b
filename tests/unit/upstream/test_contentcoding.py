"""Content-Encoding that nobody asked for."""

from __future__ import annotations

import contextlib
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.upstream.contentcoding import decode

pytestmark = pytest.mark.rule("U-2")

BODY = b'{"schemaVersion": 2}' * 50


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        (None, BODY),
        (" Identity ", BODY),
        ("gzip", gzip.compress(BODY)),
        ("X-GZIP", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
    ],
)
def test_known_codings_are_undone(coding: str | None, packed: bytes) -> None:
    assert decode(packed, coding, len(BODY)) == BODY


@pytest.mark.parametrize("coding", ["zstd", "br", "gzip, gzip", "\x00"])
def test_other_codings_are_refused(coding: str) -> None:
    with pytest.raises(ValueError, match="coding nobody asked for"):
        decode(BODY, coding, 1000)


@pytest.mark.parametrize("packed", [b"", b"no gzip at all", gzip.compress(BODY)[:-9]])
def test_broken_data_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="broken gzip data"):
        decode(packed, "gzip", 1000)


def test_a_bomb_goes_no_further_than_the_limit() -> None:
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        decode(gzip.compress(bytes(10_000_000)), "gzip", 1000)


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "br"]))
def test_only_value_errors_come_out(packed: bytes, coding: str) -> None:
    with contextlib.suppress(ValueError):
        assert len(decode(packed, coding, 1000)) <= 1000
