"""Protobuf: the fields of a message, read from the wire format and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Field = tuple[int, int | memoryview]
"""Number of a field, and an integer or the bytes of what else it holds."""

LONGEST = 10
"""Bytes of an integer."""

KEY = 1 << 32
"""Where keys of fields end. What lies above, protobuf cuts off without a word: such a
key would be one field here, and another there."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """Bytes that are no message."""


def fields(message: memoryview) -> Iterator[Field]:
    """Go through the fields of a message.

    Raises
    ------
    WireError
        If a length leads out of the message, or bytes are no field, or such as others
        read otherwise.
    """
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if number == 0 or key >= KEY:
            msg = f"a field of the number {number} at byte {at}"
            raise WireError(msg)
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == BYTES:
            size, at = _varint(message, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            msg = f"a field of the unknown kind {kind} at byte {at}"
            raise WireError(msg)
        if size > end - at:
            msg = f"a length of {size} bytes at byte {at}, where {end - at} are left"
            raise WireError(msg)
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Read an integer; return it and where it ends."""
    value = 0
    for place, byte in enumerate(message[at : at + LONGEST]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at + place + 1
    msg = f"an integer without an end at byte {at}"
    raise WireError(msg)


def text(value: int | memoryview) -> str:
    """Read a text."""
    if isinstance(value, int):
        msg = "a number in place of a text"
        raise WireError(msg)
    return bytes(value[:200]).decode("utf-8", "replace")


def message(value: int | memoryview) -> memoryview:
    """Take a message within a message."""
    if isinstance(value, int):
        msg = "a number in place of a message"
        raise WireError(msg)
    return value


def number(value: int | memoryview) -> int:
    """Take an integer, of which negative ones are seen as such."""
    if not isinstance(value, int):
        msg = "bytes in place of a number"
        raise WireError(msg)
    return value - (1 << 64) if value >> 63 else value


def numbers(value: int | memoryview) -> list[int]:
    """Take an integer, or several that are packed."""
    if isinstance(value, int):
        return [number(value)]
    found, at = [], 0
    while at < len(value):
        one, at = _varint(value, at)
        found.append(number(one))
    return found


def bytes_of(key: int, value: int | bytes | memoryview | str) -> bytes:
    """Write a field: an integer, or what holds its length, as texts and messages do."""
    if isinstance(value, int):
        return _written(key << 3 | VARINT) + _written(value % (1 << 64))
    content = value.encode() if isinstance(value, str) else bytes(value)
    return _written(key << 3 | BYTES) + _written(len(content)) + content


def _written(value: int) -> bytes:
    """Write an integer, seven bits a byte."""
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
