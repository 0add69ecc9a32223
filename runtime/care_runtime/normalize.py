"""Normalization: the percentiles of an image and the affine map they define."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.pixels import chunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PRECISE = 2**16
"""Grey value up to which float32 is precise enough."""


@dataclass(frozen=True, slots=True)
class Affine:
    """The map ``(x - low) / width`` and its inverse (Methods, "Normalization").

    Parameters
    ----------
    low, width
        The grey value that becomes 0, and the distance to the one that becomes 1; of
        one shape that broadcasts against the image, such as (C, 1, 1, 1).
    blank
        Where there was no contrast to measure; the width is 1 there.
    """

    low: NDArray[Any]
    width: NDArray[np.float32]
    blank: NDArray[np.bool_]

    @classmethod
    def between(cls, low: NDArray[Any], high: NDArray[Any]) -> Affine:
        """Map `low` to 0 and `high` to 1."""
        low = np.asarray(low, np.float64)
        width = (high - low).astype(np.float32)
        blank = ~(width > 0)
        # Grey values beyond 16 bits lie too high for float32 to tell them apart.
        kind = np.float64 if np.abs(low).max(initial=0) > PRECISE else np.float32
        return cls(low.astype(kind), np.where(blank, np.float32(1), width), blank)

    def plane(self, z: int) -> Affine:
        """Take the map of one plane, from one of shape (C, Z or 1, 1, 1)."""
        z = min(z, self.low.shape[1] - 1)
        return Affine(self.low[:, z], self.width[:, z], self.blank[:, z])

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Normalize an image to float32."""
        out = x.astype(self.low.dtype)
        out -= self.low
        return np.asarray(out / self.width, np.float32)

    def invert(self, y: NDArray[np.float32]) -> NDArray[Any]:
        """Take a normalized image back to grey values."""
        grey: NDArray[Any] = self.invert_scale(y) + self.low
        return grey

    def invert_scale(self, y: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take a normalized width (a scale, a standard deviation) to grey values."""
        return np.asarray(y * self.width, np.float32)


def percentiles(
    image: NDArray[Any], q: Sequence[float], axes: tuple[int, ...] | None = None
) -> NDArray[np.float64]:
    """Measure percentiles, the same as `numpy.percentile` and faster for integers.

    Images of 8 and 16 bit are counted into a histogram, which is exact.

    Parameters
    ----------
    image
        Any shape; integer, floating or boolean.
    q
        Percentiles, 0 to 100.
    axes
        Axes to measure over, all by default; the others keep their length.

    Returns
    -------
    numpy.ndarray
        Shape ``(len(q), *kept)``, where the axes measured over have length 1.
    """
    axes = tuple(range(image.ndim)) if axes is None else axes
    kept = [axis for axis in range(image.ndim) if axis not in axes]
    shape = [image.shape[axis] if axis in kept else 1 for axis in range(image.ndim)]
    lines = image.transpose(kept + list(axes))
    out = np.empty((len(q), *shape), np.float64)
    flat = out.reshape(len(q), -1)
    for column, index in enumerate(np.ndindex(*lines.shape[: len(kept)])):
        flat[:, column] = _percentiles(lines[index], q)
    return out


def _percentiles(pixels: NDArray[Any], q: Sequence[float]) -> NDArray[np.float64]:
    if pixels.dtype.kind in "ui" and pixels.dtype.itemsize <= 2:
        return quantiles_from_histogram(*histogram(pixels), q)
    # numpy interpolates in the type of the image, where integers would overflow.
    wide = pixels.astype(np.promote_types(pixels.dtype, np.float32), copy=False)
    return np.asarray(np.percentile(wide, q), np.float64)


def histogram(pixels: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    """Count the values of an 8- or 16-bit image.

    Returns
    -------
    counts, first
        ``counts[i]`` pixels have the value ``first + i``.
    """
    info = np.iinfo(pixels.dtype)
    first = int(info.min)
    counts = np.zeros(int(info.max) - first + 1, np.int64)
    for part in chunks(pixels):
        counts += np.bincount(part.astype(np.int64) - first, minlength=counts.size)
    return counts, first


def quantiles_from_histogram(
    counts: NDArray[np.int64], first: int, q: Sequence[float]
) -> NDArray[np.float64]:
    """Interpolate percentiles between the order statistics of counted pixels."""
    ends = np.cumsum(counts)
    position = np.asarray(q, np.float64) / 100 * (ends[-1] - 1)
    below = np.floor(position)
    low, high = (
        np.searchsorted(ends, rank, side="right").astype(np.float64) + first
        for rank in (below, np.ceil(position))
    )
    interpolated: NDArray[np.float64] = low + (high - low) * (position - below)
    return interpolated
