"""Planes: an image in the pieces that a TIFF file is made of, read as needed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

SIDE = 256
"""Pixels along the side of a tile."""


def data(
    pixels: NDArray[Any], packing: Mapping[str, Any], *, samples: bool = False
) -> dict[str, Any]:
    """Return tifffile's arguments for pixels: planes or tiles, as they are needed."""
    shape = (*pixels.shape, 1) if samples else tuple(pixels.shape)
    plain = isinstance(pixels, np.ndarray) and pixels.flags.c_contiguous
    if plain and "tile" not in packing:
        return {"data": pixels.reshape(shape)}
    if "tile" in packing:
        pieces = _tiles(pixels)
    elif samples:
        pieces = (plane[..., None] for plane in _planes(pixels))
    else:
        pieces = _planes(pixels)
    return {"data": pieces, "shape": shape, "dtype": pixels.dtype}


def _planes(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Read an image plane by plane."""
    for index in np.ndindex(*pixels.shape[:-2]):
        yield np.ascontiguousarray(pixels[index])


def _bands(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Read an image by some rows of a plane at a time."""
    for index in np.ndindex(*pixels.shape[:-2]):
        for y in range(0, pixels.shape[-2], SIDE):
            yield np.ascontiguousarray(pixels[(*index, slice(y, y + SIDE))])


def _tiles(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Cut an image into tiles."""
    for band in _bands(pixels):
        for x in range(0, band.shape[1], SIDE):
            yield band[:, x : x + SIDE]


def checksum(pixels: NDArray[Any]) -> int:
    """Return the check sum of all pixels."""
    found = 0
    for band in _bands(pixels):
        found = zlib.crc32(band.data, found)
    return found
