"""The wire format, against the examples in protobuf's own description of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from programs.protobuf import Message, encode, varint


@pytest.mark.parametrize(
    ("number", "encoded"), [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (150, "9601")]
)
def test_numbers_are_base_128_least_significant_first(number: int, encoded: str) -> None:
    assert varint(number).hex() == encoded


def test_text_is_a_key_a_length_and_its_bytes() -> None:
    assert encode((2, "testing")).hex() == "120774657374696e67"


def test_zero_and_empty_are_left_out_and_read_back_as_such() -> None:
    assert encode((1, 0), (2, ""), (3, b"")) == b""
    assert Message.decode(b"").number(1) == 0
    assert Message.decode(b"").text(2) == ""
    assert Message.decode(b"").messages(3) == ()


@given(st.integers(1, 2**64 - 1), st.text(min_size=1), st.lists(st.text(min_size=1)))
def test_what_was_written_is_read(number: int, text: str, texts: list[str]) -> None:
    inner = encode((1, number), (2, text), *((3, one) for one in texts))
    (message,) = Message.decode(encode((15, inner))).messages(15)
    assert message.number(1) == number
    assert message.text(2) == text
    assert message.texts(3) == tuple(texts)


def test_fields_of_a_fixed_width_are_stepped_over() -> None:
    fixed = bytes.fromhex("09" + "00" * 8) + bytes.fromhex("15" + "00" * 4)
    assert Message.decode(fixed + encode((3, 7))).number(3) == 7


@pytest.mark.parametrize(
    "cut", ["12077465", "80", "08", "0b"], ids=["text", "key", "number", "kind"]
)
def test_a_broken_message_is_refused(cut: str) -> None:
    with pytest.raises(ValueError, match=r"short|inside|wire type"):
        Message.decode(bytes.fromhex(cut))
