"""Profile: grey values along a line that crosses the strongest structures (Fig. 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

LENGTH = 64
"""Pixels of a line, at most."""

ANGLES = 8
"""Directions that are tried."""

SMOOTH = 1.5
"""Standard deviation in pixels by which noise is smoothed before lines are compared."""

GRID = 4
"""Pixels between the centres that are tried."""


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line in a plane, sampled about once a pixel.

    Parameters
    ----------
    start, stop
        Its ends (Y, X), in pixels.
    """

    start: tuple[float, float]
    stop: tuple[float, float]

    @property
    def points(self) -> NDArray[np.float64]:
        """Coordinates of its samples, (2, n)."""
        count = round(self.length) + 1
        ends = zip(self.start, self.stop, strict=True)
        return np.stack([np.linspace(a, b, count) for a, b in ends])

    @property
    def length(self) -> float:
        """Length in pixels."""
        return float(np.hypot(*np.subtract(self.stop, self.start)))

    def values(self, plane: NDArray[Any]) -> NDArray[np.float64]:
        """Sample a plane (Y, X) along the line, linearly."""
        values: NDArray[np.float64] = ndimage.map_coordinates(
            plane.astype(np.float64), self.points, order=1, mode="nearest"
        )
        return values


def crossing(plane: NDArray[Any], *, upright: bool = False) -> Line:
    """Find the line along which a plane (Y, X) rises and falls the most.

    That is the line, of many centres and directions, whose steps are the largest in
    sum; noise is smoothed away before, and what is beyond the range of the truth does
    not count, so that one very bright spot is not all.

    Parameters
    ----------
    plane
        The truth, normalized.
    upright
        Whether only lines along the first axis count: along Z, in an axial section.
    """
    length = min(LENGTH, len(plane) if upright else min(plane.shape))
    turns = [0.0] if upright else np.arange(ANGLES) * np.pi / ANGLES
    smooth = np.clip(ndimage.gaussian_filter(plane, SMOOTH), 0, 1)
    best, found = -1.0, Line((0, 0), (max(length - 1, 0), 0))
    for turn in turns:
        half = (length - 1) / 2 * np.array([np.cos(turn), np.sin(turn)])
        rows, columns = (
            _centres(n, abs(h)) for n, h in zip(plane.shape, half, strict=True)
        )
        for y in rows:
            for x in columns:
                line = Line((y - half[0], x - half[1]), (y + half[0], x + half[1]))
                steps = float(np.abs(np.diff(line.values(smooth))).sum())
                if steps > best:
                    best, found = steps, line
    return found


def _centres(size: int, half: float) -> NDArray[np.float64]:
    """Place centres such that the line stays inside."""
    return np.arange(half, size - 1 - half + 1e-6, GRID)
