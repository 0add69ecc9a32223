"""Whole or cut: whether a TIFF file holds all the pixels that it announces."""

from __future__ import annotations

import logging
import math
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from care_runtime.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAGS = frozenset({270, 273, 279, 282, 283, 324, 325, 50838, 50839})
"""Tags that a file cannot do without: where its pixels are and what they mean."""


RATIO = 2000
"""Bytes of pixels that a byte of a file may stand for; deflate reaches 1032."""

ROOM = 1 << 30
"""Bytes of pixels that any file may announce: a blank image shrinks to nothing."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep tifffile from printing what is raised as an error, or is harmless."""
    logger = logging.getLogger("tifffile")

    def drop(record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(drop)  # one of its own: threads may nest in any order
    try:
        yield
    finally:
        logger.removeFilter(drop)


def require_line(tif: Any, path: Path) -> None:
    """Raise if the chain of pages leads back to itself: tifffile follows it for ever.

    Raises
    ------
    FileError
        If it does.
    """
    form, offset = tif.tiff, tif.pages.first.offset
    seen: set[int] = set()
    while offset:
        if offset in seen:
            msg = (
                f"expected a chain of pages in {path}, found that it leads back to "
                "itself: it is damaged; copy it again from where it was recorded"
            )
            raise FileError(msg)
        seen.add(offset)
        try:
            _entries(tif, offset)
            pointer = tif.filehandle.read(form.offsetsize)
            offset = struct.unpack(form.offsetformat, pointer)[0]
        except struct.error:
            return  # the file is cut, which is told later


def require_honest(tif: Any, series: Any, path: Path) -> None:
    """Raise if the pixels are more than the file can hold, however it is compressed.

    A header of some bytes may announce an image of terabytes; memory and disk for it
    would be taken before it is found out.

    Raises
    ------
    FileError
        If the announced size is beyond all compression.
    """
    size, found = tif.filehandle.size, math.prod(map(int, series.shape))
    bytes_ = found * max(1, series.dtype.itemsize if series.dtype else 1)
    if bytes_ > max(ROOM, RATIO * size) or bytes_ >= 1 << 62:
        msg = (
            f"expected at most {RATIO} times its {size} bytes as pixels of {path}, "
            f"found that it announces an array of shape {series.shape}: it lies about "
            "its size, or is damaged; copy it again from where it was recorded"
        )
        raise FileError(msg)
    page = series.keyframe
    piece = math.prod(map(int, page.chunks)) * max(1, page.dtype.itemsize)
    if series.dataoffset is None and piece > max(ROOM, RATIO * size):
        msg = (
            f"expected strips or tiles of at most {RATIO} times its {size} bytes in "
            f"{path}, found some of the shape {page.chunks}: it lies about its size, "
            "or is damaged; copy it again from where it was recorded"
        )
        raise FileError(msg)
    pieces, there = math.prod(page.chunked), len(page.dataoffsets)
    if series.dataoffset is None and pieces > there:
        msg = (
            f"expected {pieces} strips or tiles in a page of {path}, as its shape "
            f"{page.shape} needs, found {there}: it is damaged; copy it again from "
            "where it was recorded"
        )
        raise FileError(msg)


def require_whole(tif: Any, series: Any, path: Path) -> None:
    """Raise unless every page, tag and pixel lies inside the file.

    tifffile reads what is left of some cut files without an error: fewer pages, no
    metadata or zeros in place of pixels.

    Parameters
    ----------
    tif
        Open ``tifffile.TiffFile``.
    series
        One of its series.
    path
        Name of the file, for the error.

    Raises
    ------
    FileError
        If the file is cut, or files of its set are missing.
    """
    missing = _missing_planes(tif, series)
    if missing:
        msg = (
            f"expected every plane of {path}, found {missing} missing; the file is "
            "incomplete, or other files of its set are not beside it: copy them again"
        )
        raise FileError(msg)
    lacking = max(_pixels_lacking(series), _tags_end(tif) - tif.filehandle.size)
    if lacking > 0 or not _chain_ends(tif):
        found = f"{lacking} bytes short" if lacking > 0 else "its last pages are lost"
        msg = (
            f"expected a whole TIFF file in {path}, found a truncated one ({found}); "
            "copy it again from where it was recorded"
        )
        raise FileError(msg)


def _missing_planes(tif: Any, series: Any) -> int:
    """Return how many planes the metadata names that no page holds."""
    if series.dataoffset is not None:  # one run of pixels, however many the pages
        planes = 0
    else:
        planes = sum(page is None for page in series)
    if tif.is_imagej and series.kind != "imagej":
        declared = (tif.imagej_metadata or {}).get("images", 1)
        planes = max(planes, int(declared) - len(tif.pages))
    return planes


def _pixels_lacking(series: Any) -> int:
    """Return how many bytes the pixels reach beyond the end of their file."""
    if series.dataoffset is not None:
        count = math.prod(map(int, series.shape))
        end = series.dataoffset + count * series.dtype.itemsize
        return int(end - series.keyframe.parent.filehandle.size)
    return max(
        int(offset + count - page.parent.filehandle.size)
        for page in series
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
    )


def _tags_end(tif: Any) -> int:
    """Return where the values of the first page's `TAGS` end."""
    from tifffile import TIFF

    entries, form = _entries(tif, tif.pages.first.offset), tif.tiff
    code, inline = {12: ("HHII", 4), 20: ("HHQQ", 8)}[form.tagsize]
    layout = struct.Struct(form.byteorder + code)
    end = 0
    for tag, kind, count, offset in layout.iter_unpack(entries):
        size = count * struct.calcsize("=" + TIFF.DATA_FORMATS.get(kind, "1B"))
        if tag in TAGS and size > inline:
            end = max(end, offset + size)
    return end


def _chain_ends(tif: Any) -> bool:
    """Tell whether the chain of pages ends in the file (tifffile's may go astray)."""
    form, offset = tif.tiff, tif.pages.first.offset
    seen: set[int] = set()
    while offset and offset not in seen:
        seen.add(offset)
        try:
            _entries(tif, offset)
            pointer = tif.filehandle.read(form.offsetsize)
            offset = struct.unpack(form.offsetformat, pointer)[0]
        except struct.error:
            return False
    return True


def _entries(tif: Any, offset: int) -> bytes:
    """Return the tag entries of the page at `offset`, leaving the file after them."""
    form = tif.tiff
    tif.filehandle.seek(offset)
    count = struct.unpack(form.tagnoformat, tif.filehandle.read(form.tagnosize))[0]
    if count * form.tagsize > tif.filehandle.size:
        msg = f"a page of {count} tags"
        raise struct.error(msg)
    entries: bytes = tif.filehandle.read(count * form.tagsize)
    return entries
