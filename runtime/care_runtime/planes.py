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
    pieces = _planes(pixels)
    if "tile" in packing:
        pieces = (tile for plane in pieces for tile in _tiles(plane))
    elif samples:
        pieces = (plane[..., None] for plane in pieces)
    return {"data": pieces, "shape": shape, "dtype": pixels.dtype}


def _planes(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Read an image plane by plane."""
    for index in np.ndindex(*pixels.shape[:-2]):
        yield np.ascontiguousarray(pixels[index])


def _tiles(plane: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Cut a plane into tiles."""
    for y in range(0, plane.shape[0], SIDE):
        for x in range(0, plane.shape[1], SIDE):
            yield plane[y : y + SIDE, x : x + SIDE]


def checksum(pixels: NDArray[Any]) -> int:
    """Return the check sum of all pixels."""
    found = 0
    for plane in _planes(pixels):
        found = zlib.crc32(plane.data, found)
    return found
