"""Manifold: a smooth surface through what is in focus.

In the manner of SME (Shihavuddin et al., Nat. Commun. 8, 15554, 2017): an index of
focus tells where structure is, pixels with a clear answer lead, and the height map
becomes smooth in iterations. It is not the authors' program: the smoothness is that of
a confidence-weighted Gaussian, in place of the local deviation that SME counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from care_training.baselines.focus import detail
from care_training.baselines.surface import along, projecting, spread, volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from care_training.baselines.surface import Surface

GRID = 2
"""Pixels across a square that has one height."""

TINY = 1e-12

ITERATIONS = 15
"""From a coarse surface, and a wide search around it, to a fine and narrow one."""

WIDTHS, SEARCH = (24.0, 6.0), (0.5, 1.5)
"""First and last width of the smoothing, in squares, and of the search around the last
surface: a share of all planes first, a number of planes last."""


def smooth_manifold(
    stack: NDArray[Any], thickness: float = 1.0, *, grid: int = GRID
) -> Surface:
    """Project a stack along a smooth surface through what is in focus.

    Parameters
    ----------
    stack
        Shape (Z, Y, X).
    thickness
        Standard deviation, in planes, of the average around the surface.
    grid
        The surface is sought on squares of `grid` x `grid` pixels.

    Raises
    ------
    ImageError
        If it is no stack.
    """
    return along(stack, manifold_height(stack, grid=grid), thickness)


def manifold_height(stack: NDArray[Any], *, grid: int = GRID) -> NDArray[np.float32]:
    """Find the surface of `smooth_manifold`: (Y, X), in planes from the first."""
    volume(stack)
    focus = detail(stack, grid)
    clear = np.clip(focus.max(axis=0), 0, None)
    clear = np.minimum(clear, np.percentile(clear, 95)) + TINY
    sharpness = focus / clear
    planes = np.arange(len(stack), dtype=np.float32)[:, None, None]
    widths = np.geomspace(*WIDTHS, ITERATIONS)
    first = max(SEARCH[0] * len(stack), SEARCH[1])
    searches = np.geomspace(first, SEARCH[1], ITERATIONS)
    height = _smoothed(focus.argmax(axis=0), clear, widths[0])
    for width, search in zip(widths, searches, strict=True):
        away = ((planes - height.astype(np.float32)) / search) ** 2
        found = (sharpness - away).argmax(axis=0)
        # What is left of the slope would be flattened at the borders, but not here.
        height += _smoothed(found - height, clear, width)
    height = np.clip(height, 0, len(stack) - 1)
    return spread(height, grid, stack.shape[1:])


def _smoothed(
    height: NDArray[Any], weight: NDArray[Any], width: float
) -> NDArray[np.float64]:
    """Average heights (Y, X) by their weights, without a pull towards the borders."""
    total = ndimage.gaussian_filter(weight * height, width, mode="nearest")
    return np.asarray(total / ndimage.gaussian_filter(weight, width, mode="nearest"))


SMOOTH_MANIFOLD = projecting(
    "smooth manifold",
    manifold_height,
    "in the manner of SME, Shihavuddin et al., Nat. Commun. 8, 15554, 2017",
)
