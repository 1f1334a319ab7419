"""The fields of a protobuf message, as they lie on the wire; nothing that it says is believed."""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


class BadWire(ValueError):  # noqa: N818 (it says what is the matter)
    """Bytes that are no message."""


def fields(message: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Number, wire type and value of each field: an int for a varint, else its bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, kind, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in {_EIGHT, _FOUR}:
            length = 8 if kind == _EIGHT else 4
        else:
            raise BadWire(f"wire type {kind}")
        if at + length > len(message):
            raise BadWire("a field goes beyond its message")
        yield number, kind, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
    raise BadWire("a number without an end")
