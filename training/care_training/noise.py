"""Noise: drawn anew from the pixels of an image that are equally bright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from care_training.pairs import linear_fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 0.002
"""Share of the image's pixels, on either side in brightness, that lend their noise."""


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise of one channel of an image pair, without a model of the camera.

    The low image is fitted to the high one by least squares; what is left, sorted by
    the brightness of the high image, is the noise. Where it is independent from pixel
    to pixel, as shot and read noise are, any pixel may have had that of another one
    as bright: so one real pair gives as many noisy frames as training can use.

    Parameters
    ----------
    slope, offset
        Of the fit ``slope * high + offset``.
    brightness
        All pixels of the high image, sorted.
    residuals
        Their noise, in the same order.
    limits
        Least and greatest pixel of the low image.
    """

    slope: float
    offset: float
    brightness: NDArray[Any]
    residuals: NDArray[np.float32]
    limits: tuple[float, float]

    @classmethod
    def of(cls, low: NDArray[Any], high: NDArray[Any]) -> Noise:
        """Measure the noise of one channel, two images of one shape."""
        slope, offset = linear_fit(low, high)
        order = np.argsort(high.ravel(), kind="stable")
        residuals = (low - slope * high - offset).ravel()[order].astype(np.float32)
        limits = float(low.min()), float(low.max())
        return cls(slope, offset, high.ravel()[order], residuals, limits)

    def draw(self, high: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
        """Make a low image of (part of) the high one."""
        reach = max(1, int(NEIGHBOURS * self.residuals.size))
        first = np.searchsorted(self.brightness, high.ravel(), "left") - reach
        last = np.searchsorted(self.brightness, high.ravel(), "right") + reach
        first, last = first.clip(0), last.clip(max=self.residuals.size)
        chosen = first + (rng.random(first.shape) * (last - first)).astype(np.intp)
        low = (
            self.slope * high + self.offset + self.residuals[chosen].reshape(high.shape)
        )
        return np.clip(low, *self.limits).astype(np.float32)


def neighbour_correlation(low: NDArray[Any], high: NDArray[Any]) -> float:
    """Correlate the noise of neighbours; near 0 if pixels are independent.

    Parameters
    ----------
    low, high
        One channel each, ([Z,] Y, X).

    Returns
    -------
    float
        The correlation along the axis where it is farthest from 0; below it where the
        camera sharpens.
    """
    slope, offset = linear_fit(low, high)
    noise = low - slope * high - offset
    found = [
        float(np.mean(np.delete(noise, 0, axis) * np.delete(noise, -1, axis)))
        for axis, size in enumerate(noise.shape)
        if size > 1
    ]
    power = float(np.mean(noise**2))
    return max(found, key=abs, default=0.0) / power if power else 0.0
