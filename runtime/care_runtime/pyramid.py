"""Pyramid: smaller copies of an image, for viewers that show it from afar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from care_runtime.output import Empty


ROWS = 256
"""Rows of a smaller copy that are made at once."""


def sizes(shape: Sequence[int], axes: str, levels: int) -> list[tuple[int, ...]]:
    """Return the shape of each smaller copy; there is none below a single pixel.

    Y and X are halved, rounded up; other axes stay.
    """
    found: list[tuple[int, ...]] = []
    last = tuple(shape)
    plane = [axes.index(a) for a in "YX"]
    while len(found) < levels and any(last[i] > 1 for i in plane):
        last = tuple(-(-n // 2) if i in plane else n for i, n in enumerate(last))
        found.append(last)
    return found


def halved(pixels: NDArray[Any], axes: str) -> NDArray[Any]:
    """Average every two by two pixels of Y and X; integers are rounded.

    A last row or column that has no neighbour counts twice.
    """
    kind = np.float64 if pixels.dtype.itemsize > 2 else np.float32
    out = pixels.astype(kind)
    for axis in (axes.index("Y"), axes.index("X")):
        if out.shape[axis] % 2:
            last = (slice(None),) * axis + (slice(-1, None),)
            out = np.concatenate([out, out[last]], axis)
        pairs = (*out.shape[:axis], -1, 2, *out.shape[axis + 1 :])
        out = out.reshape(pairs).mean(axis + 1)
    if pixels.dtype.kind in "ui":
        out = np.rint(out)
    return out.astype(pixels.dtype)


def levels(
    pixels: NDArray[Any], axes: str, count: int, empty: Empty
) -> list[NDArray[Any]]:
    """Make the smaller copies of an image, some rows at a time.

    Parameters
    ----------
    pixels
        With Y and X last.
    axes
        Of the pixels.
    count
        Copies at most.
    empty
        Makes the arrays.
    """
    found, last = [], pixels
    for shape in sizes(pixels.shape, axes, count):
        smaller = empty(shape, pixels.dtype)
        for plane in np.ndindex(*shape[:-2]):
            for y in range(0, shape[-2], ROWS):
                above = (*plane, slice(2 * y, 2 * (y + ROWS)))
                band = halved(np.asarray(last[above]), "YX")
                smaller[(*plane, slice(y, y + ROWS))] = band
        found.append(smaller)
        last = smaller
    return found
