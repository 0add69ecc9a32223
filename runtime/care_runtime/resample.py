"""Resampling: where each pixel of a padded or stretched axis comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Samples:
    """Source of every position along one axis: ``below + weight * (above - below)``.

    Parameters
    ----------
    below, above
        Pixels of the image on either side.
    weight
        Share of `above`; None where every position is a pixel.
    """

    below: NDArray[np.intp]
    above: NDArray[np.intp]
    weight: NDArray[np.float64] | None

    def shifted(self, first: int) -> Samples:
        """Count pixels from another one than the first."""
        return Samples(self.below - first, self.above - first, self.weight)

    def __getitem__(self, part: slice) -> Samples:
        """Take the samples of a tile."""
        weight = None if self.weight is None else self.weight[part]
        return Samples(self.below[part], self.above[part], weight)


def stretched(size: int, factor: float) -> int:
    """Count the pixels of an axis after resampling."""
    return max(1, round(size * factor))


def samples(
    size: int, factor: float = 1.0, *, before: int = 0, padded: int = 0
) -> Samples:
    """Place samples along an axis, stretched first and then padded by reflection.

    Interpolation is linear between the centres of the first and the last pixel, at
    global coordinates, so that a tile has the values of the whole.

    Parameters
    ----------
    size
        Pixels of the image.
    factor
        Pixels after per pixel before.
    before, padded
        Padding in front, and the final number of samples.
    """
    count = stretched(size, factor)
    positions = _reflected(np.arange(padded or count) - before, count)
    if count == size:
        return Samples(positions, positions, None)
    exact = positions * ((size - 1) / max(count - 1, 1))
    below = np.minimum(exact.astype(np.intp), max(size - 2, 0))
    weight = np.asarray(exact - below, np.float64)
    return Samples(below, np.minimum(below + 1, size - 1), weight)


def gather(
    frame: NDArray[Any], lines: Sequence[Samples], *, round_: bool = False
) -> NDArray[Any]:
    """Collect a tile from an image.

    Parameters
    ----------
    frame
        Channels first, then one axis for each of `lines`; any type, also a memory map.
    lines
        Samples of the tile along each axis.
    round_
        Round interpolated values to integers, as an image of integers would hold them.

    Returns
    -------
    numpy.ndarray
        Of the frame's type without interpolation, else float32.
    """
    # What no sample needs is left out first, so that interpolation costs what the
    # tile costs.
    parts = [slice(int(s.below.min()), int(s.above.max()) + 1) for s in lines]
    frame = np.asarray(frame[(slice(None), *parts)])
    for axis, (line, part) in enumerate(zip(lines, parts, strict=True), start=1):
        line = line.shifted(part.start)
        if line.weight is None:
            frame = _take(frame, line.below, axis)
            continue
        weight = line.weight.reshape(-1, *[1] * (frame.ndim - 1 - axis))
        low, high = (_take(frame, at, axis) for at in (line.below, line.above))
        if round_:
            frame = _rounded(low.astype(np.float64), high.astype(np.float64), weight)
        else:
            start = low.astype(np.float32)
            frame = start + (high.astype(np.float32) - start) * np.float32(weight)
    return frame


def _rounded(
    low: NDArray[np.float64], high: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Interpolate and round as SciPy's zoom does: the sum decides what is a half."""
    rest = 1 - weight
    exact = low * rest + high * (1 - rest)
    return np.trunc(exact + np.copysign(0.5, exact)).astype(np.float32)


def _take(frame: NDArray[Any], index: NDArray[np.intp], axis: int) -> NDArray[Any]:
    """Take pixels along an axis; a run of neighbours is a view."""
    first, count = int(index[0]), len(index)
    if np.array_equal(index, np.arange(first, first + count)):
        return frame[(slice(None),) * axis + (slice(first, first + count),)]
    return np.take(frame, index, axis=axis)


def _reflected(positions: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Mirror positions at the first and last pixel, as often as it takes."""
    if size == 1:
        return np.zeros_like(positions)
    period = 2 * (size - 1)
    folded = positions % period
    return np.minimum(folded, period - folded)
