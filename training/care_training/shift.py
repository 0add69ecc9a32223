"""Shift: how far the two images of a pair lie apart, which nobody should train on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.registration import phase_cross_correlation

from care_training.evaluate import comparable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from care_training.pairs import Pair

SHIFT = 1.0
"""Pixels between the two images of a pair from which on a user should know."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the low image of a pair lies from the high one.

    Parameters
    ----------
    name
        Of the pair.
    pixels
        Along each space axis, [Z,] Y, X.
    """

    name: str
    pixels: tuple[float, ...]

    @property
    def distance(self) -> float:
        """Length in pixels."""
        return float(np.linalg.norm(self.pixels))


def shifts(pairs: Sequence[Pair]) -> list[Shift]:
    """Measure the shift within each pair by phase correlation, to 0.1 pixels.

    Stacks are compared with their projection by their maximum.
    """
    return [Shift(pair.name, _shift(pair)) for pair in pairs]


def _shift(pair: Pair) -> tuple[float, ...]:
    images = comparable(pair), pair.high
    low, high = (_standard(image[0]) for image in images)
    if not low.any() or not high.any():
        return (0.0,) * low.ndim
    # Without normalization by magnitude: noise would drown the structure.
    found, _, _ = phase_cross_correlation(
        low, high, upsample_factor=10, normalization=None
    )
    return tuple(float(pixel) for pixel in found)


def _standard(image: NDArray[Any]) -> NDArray[np.float32]:
    """Take the mean for 0 and the deviation for 1, whatever the unit."""
    exact = image.astype(np.float64)
    exact -= exact.mean()
    return np.asarray(exact / (exact.std() or 1.0), np.float32)
