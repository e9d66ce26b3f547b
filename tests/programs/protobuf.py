"""The part of protobuf's wire format that CRI messages use: varints and length-delimited fields.

Written out by hand so that neither generated code nor the protobuf runtime is needed for nine
calls. Field numbers live with the messages, in `programs.cri`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5


def varint(number: int) -> bytes:
    """Base 128, least significant group first; `number` is not negative."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode(*fields: tuple[int, int | str | bytes]) -> bytes:
    """A message of these (number, value) pairs; like proto3 it leaves out what is zero or empty."""
    out = bytearray()
    for number, value in fields:
        if not value:
            continue
        if isinstance(value, int):
            out += varint(number << 3 | VARINT) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | LENGTH_DELIMITED) + varint(len(data)) + data
    return bytes(out)


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded message; a field that was not sent reads as zero or empty, as proto3 has it."""

    numbers: dict[int, int] = field(default_factory=dict)
    chunks: dict[int, tuple[bytes, ...]] = field(default_factory=dict)

    @classmethod
    def decode(cls, data: bytes) -> Message:
        """Raise ValueError when `data` ends inside a field or holds a wire type nobody sends."""
        numbers: dict[int, int] = {}
        chunks: dict[int, tuple[bytes, ...]] = {}
        at = 0
        while at < len(data):
            key, at = _read_varint(data, at)
            number, kind = key >> 3, key & 7
            if kind == VARINT:
                numbers[number], at = _read_varint(data, at)
                continue
            if kind == LENGTH_DELIMITED:
                length, at = _read_varint(data, at)
            elif kind in (FIXED64, FIXED32):
                length = 8 if kind == FIXED64 else 4
            else:
                raise ValueError(f"field {number} has wire type {kind}")
            chunk = data[at : at + length]
            if len(chunk) != length:
                raise ValueError(f"field {number} is cut short")
            chunks[number] = (*chunks.get(number, ()), chunk)
            at += length
        return cls(numbers, chunks)

    def number(self, field_number: int) -> int:
        return self.numbers.get(field_number, 0)

    def texts(self, field_number: int) -> tuple[str, ...]:
        return tuple(chunk.decode() for chunk in self.chunks.get(field_number, ()))

    def text(self, field_number: int) -> str:
        return next(iter(self.texts(field_number)), "")

    def messages(self, field_number: int) -> tuple[Message, ...]:
        return tuple(Message.decode(chunk) for chunk in self.chunks.get(field_number, ()))


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
    raise ValueError("the message ends inside a number")
