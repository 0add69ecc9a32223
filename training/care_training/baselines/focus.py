"""Focus: how much there is to see in every plane of a stack.

Two cues to where a thin sheet lies. Brightness is the better one in the dark, and
detail where haze is brighter than the sheet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

BRIGHT = 99.5
"""Percentile above which pixels are no brighter: specks do not draw the surface."""

SHEET, AROUND = 1.0, 3.0
"""Standard deviation of a sheet in planes, and of the planes that it is set against."""

FINE, COARSE = 1.0, 4.0
"""Widths in pixels between which structures in a plane are details."""

WINDOW = 6.0
"""Standard deviation, in pixels, of the window in which details are counted."""


def brightness(stack: NDArray[Any], grid: int) -> NDArray[np.float32]:
    """Measure by how much planes are brighter than those around.

    Parameters
    ----------
    stack
        Shape (Z, Y, X).
    grid
        Pixels across a square that has one value.
    """
    image = pooled(np.minimum(stack, np.percentile(stack, BRIGHT)), grid)
    image = ndimage.gaussian_filter(image, (SHEET, 1, 1))
    # Two filters of Z in a row have the width of the wider one.
    rest = np.sqrt(AROUND**2 - SHEET**2)
    found: NDArray[np.float32] = image - ndimage.gaussian_filter1d(image, rest, axis=0)
    return found


def detail(stack: NDArray[Any], grid: int) -> NDArray[np.float32]:
    """Measure by how much planes vary more, locally, than those around.

    Parameters
    ----------
    stack
        Shape (Z, Y, X).
    grid
        Pixels across a square that has one value.
    """
    image = np.asarray(stack, np.float32)
    fine, coarse = (ndimage.gaussian_filter(image, (0, s, s)) for s in (FINE, COARSE))
    energy = _matched(fine - coarse) ** 2
    energy = pooled(np.minimum(energy, np.percentile(energy, 99)), grid)
    energy = ndimage.gaussian_filter(energy, (0, WINDOW / grid, WINDOW / grid))
    found: NDArray[np.float32] = energy - ndimage.gaussian_filter1d(
        energy, AROUND, axis=0
    )
    return found


def pooled(stack: NDArray[Any], grid: int) -> NDArray[np.float32]:
    """Average a stack (Z, Y, X) over squares of `grid` x `grid` pixels."""
    room = [(0, 0), *((0, -size % grid) for size in stack.shape[1:])]
    z, y, x = (whole := np.pad(stack, room, mode="symmetric")).shape
    squares = whole.reshape(z, y // grid, grid, x // grid, grid)
    return np.asarray(squares.mean(axis=(2, 4)), np.float32)


def _matched(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Filter along Z for sheets, with the same noise in the first plane as in others.

    A filter that reflects at the ends averages fewer planes there, and its noise would
    look like detail.
    """
    reach = int(4 * SHEET)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SHEET) ** 2)
    total = ndimage.correlate1d(image, kernel, axis=0, mode="constant")
    one = np.ones(len(image))
    noise = np.sqrt(ndimage.correlate1d(one, kernel**2, mode="constant"))
    return np.asarray(total / noise[:, None, None], np.float32)
