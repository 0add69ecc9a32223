"""Pieces: how large a packed strip or tile of a TIFF file says it is.

Codings of images have sizes of their own, and their decoders take memory for these,
whatever the page says: 700 bytes may announce 65,500 x 65,500 pixels. Those of bytes
(deflate, LZW, Zstandard and the like) are given the room of their place, and no more.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from care_runtime.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LARGER = 4
"""How many times the pixels of its place a piece may have: some are padded."""

SMALL = 1 << 20
"""Pixels that any piece may have."""

HEAD = 64
"""Bytes at the beginning of what is packed in which its size stands."""

BOXES = {b"jp2c": 0, b"jxlc": 0, b"jxlp": 4}
"""Boxes that hold it, and the bytes in them before it begins or goes on."""

RATIOS = ((1, 1), (1, 1), (6, 5), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Columns to rows, by their numbers in JPEG XL; the first of them is none."""

WIDE, HIGH, IMAGES = 0xBC80, 0xBC81, (0xBCC0, 0xBCC2)
"""Tags of JPEG XR: columns, rows, and where the image and its alpha begin."""

Sizes = tuple[int, ...]
"""Rows and columns, and what else multiplies pixels."""


def guard(series: Any) -> None:
    """Have the pages of a series refuse pieces larger than their place.

    Parameters
    ----------
    series
        A tifffile series of an open file, which is then decoded piece by piece.
    """
    for key in {id(p.keyframe): p.keyframe for p in series if p is not None}.values():
        if key.compression in READERS and not isinstance(key.decode, partial):
            key.decode = partial(_decoded, key.decode, key)


def _decoded(
    decode: Callable[..., Any], page: Any, data: bytes | None, *place: Any, **more: Any
) -> Any:
    """Decode a piece, if it is as large as it should be."""
    if data is not None:
        size = READERS[page.compression](data)
        most = max(SMALL, LARGER * math.prod(page.chunks))
        if size is None or math.prod(size) > most:
            said = "does not say its size as such pieces do"
            if size is not None:
                said = f"says it has {' x '.join(str(n) for n in size if n > 1)} pixels"
            msg = (
                f"expected strips or tiles of the shape {page.chunks} in "
                f"{page.parent.filehandle.path}, found one that {said}: it lies about "
                "its size, or is damaged; copy it again from where it was recorded"
            )
            raise FileError(msg)
    return decode(data, *place, **more)


def _png(data: bytes) -> Sizes:
    return _number(data, 20, 4), _number(data, 16, 4)


def _jpeg2000(data: bytes) -> Sizes | None:
    stream = _stream(data)
    if stream[:4] != b"\xff\x4f\xff\x51":
        return None
    return _number(stream, 12, 4), _number(stream, 8, 4), _number(stream, 40, 2)


def _jpeg(data: bytes) -> Sizes:
    """Read the frame header of a JPEG stream; the largest, if there are several."""
    found, at = (0, 0), 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind == 0xFF:  # one of any number that fill up
            at += 1
            continue
        if kind == 0xDA:  # pixels begin
            break
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            size = _number(data, at + 5, 2), _number(data, at + 7, 2)
            found = max(found, size, key=math.prod)
        bare = kind == 1 or 0xD0 <= kind <= 0xD8
        at += 2 if bare else 2 + max(2, _number(data, at + 2, 2))
    return found


def _webp(data: bytes) -> Sizes | None:
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return _little(body, 7, 3) + 1, _little(body, 4, 3) + 1
    if kind == b"VP8L" and body[:1] == b"\x2f":
        both = _little(body, 1, 4)
        return (both >> 14 & 0x3FFF) + 1, (both & 0x3FFF) + 1
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return _little(body, 8, 2) & 0x3FFF, _little(body, 6, 2) & 0x3FFF
    return None


def _jpegxl(data: bytes) -> Sizes | None:
    """Read the bits of a size: from the last of every byte, in as few as will do."""
    stream = _stream(data)
    if stream[:2] != b"\xff\x0a":
        return None
    bits = _little(stream, 2, 14)

    def take(count: int) -> int:
        nonlocal bits
        found = bits & (1 << count) - 1
        bits >>= count
        return found

    def side() -> int:
        return 8 * take(5) + 8 if eighths else take((9, 13, 18, 30)[take(2)]) + 1

    eighths = take(1)
    rows, ratio = side(), take(3)
    return rows, rows * RATIOS[ratio][0] // RATIOS[ratio][1] if ratio else side()


def _jpegxr(data: bytes) -> Sizes | None:
    """Read the largest size of the tags and of the images that they lead to."""
    if data[:4] != b"II\xbc\x01":
        return None
    at, tags = _little(data, 4, 4), {WIDE: 0, HIGH: 0}
    for place in range(at + 2, at + 2 + 12 * _little(data, at, 2), 12):
        tag = _little(data, place, 2)
        tags[tag] = max(tags.get(tag, 0), _little(data, place + 8, 4))
    rows, columns = tags[HIGH], tags[WIDE]
    for start in (tags[tag] for tag in IMAGES if tag in tags):
        if data[start : start + 8] != b"WMPHOTO\0":
            return None
        size = 2 if data[start + 10 : start + 11] >= b"\x80" else 4
        columns = max(columns, _number(data, start + 12, size) + 1)
        rows = max(rows, _number(data, start + 12 + size, size) + 1)
    return rows, columns


def _lerc(data: bytes) -> Sizes | None:
    """Read rows, columns, numbers a pixel, and how many such images follow."""
    if data.startswith(b"CntZImage "):
        sides = _little(data, 18, 4), _little(data, 22, 4)
        return *sides, data.count(b"CntZImage ")
    if not data.startswith(b"Lerc2 "):
        return None
    version = _little(data, 6, 4)
    at = 14 if version >= 3 else 10
    deep = _little(data, at + 8, 4) if version >= 4 else 1
    return _little(data, at, 4), _little(data, at + 4, 4), deep, data.count(b"Lerc2 ")


def _stream(data: bytes) -> bytes:
    """Take the beginning of what is packed out of its boxes, if it has any."""
    if data[4:8] not in (b"jP  ", b"JXL "):
        return data
    starts = ((a + BOXES[kind], b) for kind, a, b in _boxes(data) if kind in BOXES)
    return b"".join(data[a : min(b, a + HEAD)] for a, b in starts)


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Go through boxes: their kind, and where their content begins and ends."""
    at = 0
    while at + 8 <= len(data):
        size, head = _number(data, at, 4), 8
        if size == 1:
            size, head = _number(data, at + 8, 8), 16
        end = at + max(size, head) if size else len(data)
        yield data[at + 4 : at + 8], at + head, end
        at = end


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


READERS: Mapping[int, Callable[[bytes], Sizes | None]] = {
    **dict.fromkeys((6, 7, 33007, 34892), _jpeg),
    **dict.fromkeys((33003, 33004, 33005, 34712), _jpeg2000),
    **dict.fromkeys((22610, 34934), _jpegxr),
    **dict.fromkeys((34927, 50001), _webp),
    **dict.fromkeys((50002, 52546), _jpegxl),
    34887: _lerc,
    34933: _png,
}
"""What reads the size of a piece, by the compression of its page; None is no such
piece."""
