"""Pieces: how large a packed strip or tile of a TIFF file says it is.

JPEG, JPEG 2000 and PNG have sizes of their own, and their decoders take memory for
these, whatever the page says: 700 bytes may announce 65,500 x 65,500 pixels.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from care_runtime.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LARGER = 4
"""How many times the pixels of its place a piece may have: some are padded."""

SMALL = 1 << 20
"""Pixels that any piece may have."""

CODESTREAM = b"\xff\x4f\xff\x51"
"""How JPEG 2000 begins; in a file of its own kind, boxes come before."""

BOXES = 4096
"""Bytes in which these lie."""

Sizes = tuple[int, int]


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
        rows, columns = READERS[page.compression](data)
        if rows * columns > max(SMALL, LARGER * math.prod(page.chunks)):
            msg = (
                f"expected strips or tiles of the shape {page.chunks} in "
                f"{page.parent.filehandle.path}, found one that says it has {rows} x "
                f"{columns} pixels: it lies about its size, or is damaged; copy it "
                "again from where it was recorded"
            )
            raise FileError(msg)
    return decode(data, *place, **more)


def _png(data: bytes) -> Sizes:
    return _number(data, 20, 4), _number(data, 16, 4)


def _jpeg2000(data: bytes) -> Sizes:
    at = data.find(CODESTREAM, 0, BOXES)
    return (_number(data, at + 12, 4), _number(data, at + 8, 4)) if at >= 0 else (0, 0)


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


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


READERS: Mapping[int, Callable[[bytes], Sizes]] = {
    **dict.fromkeys((6, 7, 33007, 34892), _jpeg),
    **dict.fromkeys((33003, 33004, 33005, 34712), _jpeg2000),
    34933: _png,
}
"""What reads the rows and columns of a piece, by the compression of its page."""
