"""Part of a TIFF file: only the pages, strips and tiles that it needs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import pieces, runs
from care_runtime.scratch import LARGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from care_runtime.output import Empty
    from care_runtime.source import Window

JPEGS = (6, 7, 33007, 34892)
"""Compressions of which a page has tables that all its tiles share."""


def prepare(series: Any) -> None:
    """Have an open file say how its pages are decoded, for when it is closed."""
    if series.dataoffset is None:
        pieces.guard(series)
        key = series.keyframe
        _ = key.decode, key.jpegheader if key.compression in JPEGS else None


def grid(series: Any) -> tuple[int, ...]:
    """Return the pixels along each axis that are decoded together."""
    if series.dataoffset is not None:
        return (1,) * len(series.shape)
    page = series.keyframe
    lead = len(series.shape) - len(page.shape)
    if lead < 0 or tuple(series.shape[lead:]) != tuple(page.shape):
        return tuple(series.shape)  # decoded as a whole
    tiles = {"Y": page.tilelength, "X": page.tilewidth}
    if not page.is_tiled:
        tiles = {"Y": page.rowsperstrip, "X": page.imagewidth}
    inner = [tiles.get(a, n) for a, n in zip(page.axes, page.shape, strict=True)]
    return (*[1] * lead, *(int(n) for n in inner))


def part(
    series: Any, window: Window, empty: Empty, whole: Callable[[], NDArray[Any]]
) -> NDArray[Any]:
    """Read a part of a series of which the file is closed.

    Parameters
    ----------
    series
        A tifffile series of which all pages are known.
    window
        From and to along each of its axes.
    empty
        Makes the array, unless it is a view of the file.
    whole
        Reads the series as a whole, for pages that cannot be cut.
    """
    everything = window == tuple(slice(0, n) for n in series.shape)
    if series.dataoffset is not None and everything and series.nbytes < LARGE:
        return _read(series)
    if series.dataoffset is not None:
        size = math.prod(w.stop - w.start for w in window) * series.dtype.itemsize
        if size >= LARGE:
            return _mapped(series)[window]
        path, start = Path(series.keyframe.parent.filehandle.path), series.dataoffset
        return runs.read(path, start, tuple(series.shape), _type(series), window)
    if everything:
        return whole()
    page = series.keyframe
    lead = len(series.shape) - len(page.shape)
    pages = list(series)
    fits = lead >= 0 and tuple(series.shape[lead:]) == tuple(page.shape)
    if not fits or math.prod(series.shape[:lead]) != len(pages):
        return whole()[window]
    numbers = np.arange(len(pages)).reshape(series.shape[:lead])[window[:lead]]
    inner = window[lead:]
    shape = [w.stop - w.start for w in window]
    out = empty(tuple(shape), series.dtype.newbyteorder("="))
    for place in np.ndindex(*numbers.shape):
        _fill(out[place], pages[numbers[place]], inner)
    return out


def _read(series: Any) -> NDArray[Any]:
    """Read the one run of pixels that a series is, which is faster than to map it."""
    path, count = series.keyframe.parent.filehandle.path, math.prod(series.shape)
    found: NDArray[Any] = np.fromfile(
        path, _type(series), count, offset=series.dataoffset
    )
    return found.reshape(series.shape)


def _mapped(series: Any) -> NDArray[Any]:
    path, shape = series.keyframe.parent.filehandle.path, tuple(series.shape)
    return np.memmap(path, _type(series), "r", series.dataoffset, shape)


def _type(series: Any) -> np.dtype[Any]:
    found: np.dtype[Any] = np.dtype(series.dtype)
    return found.newbyteorder(series.keyframe.parent.byteorder)


def _fill(out: NDArray[Any], page: Any, window: Window) -> None:
    """Decode the strips or tiles of a page that reach into a part of it."""
    key = page.keyframe
    said = dict(zip(key.axes, window, strict=True))
    ys, xs = said["Y"], said["X"]
    options: dict[str, Any] = {}
    if key.compression in JPEGS:
        options = {"jpegtables": page.jpegtables, "jpegheader": key.jpegheader}
    separate, depth, _, _, contig = key.shaped
    found = np.zeros(
        (separate, depth, ys.stop - ys.start, xs.stop - xs.start, contig), out.dtype
    )
    with Path(page.parent.filehandle.path).open("rb") as file:
        for index, (start, size) in enumerate(
            zip(page.dataoffsets, page.databytecounts, strict=True)
        ):
            _, (s, d, y, x, _), shape = key.decode(None, index)
            rows, columns = _common(y, shape[1], ys), _common(x, shape[2], xs)
            if rows is None or columns is None or not size:
                continue
            file.seek(start)
            piece, _, shape = key.decode(file.read(size), index, **options)
            place = (
                s,
                slice(d, d + shape[0]),
                slice(rows.start - ys.start, rows.stop - ys.start),
                slice(columns.start - xs.start, columns.stop - xs.start),
            )
            inside = (
                slice(0, shape[0]),
                slice(rows.start - y, rows.stop - y),
                slice(columns.start - x, columns.stop - x),
            )
            found[place] = piece[inside]
    sizes = dict(zip("ZYX", found.shape[1:4], strict=True))
    shape = tuple(sizes.get(a, separate * contig) for a in key.axes)
    rest = tuple(slice(None) if a in "YX" else said[a] for a in key.axes)
    out[...] = found.reshape(shape)[rest]


def _common(start: int, size: int, part: slice) -> slice | None:
    """Return what a strip or tile has in common with a part, or None."""
    first, last = max(start, part.start), min(start + size, part.stop)
    return slice(first, last) if first < last else None
