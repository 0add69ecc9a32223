"""Stabilization: shot noise made equal everywhere, for methods that expect that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage, optimize

from care_training.baselines.method import Baseline

if TYPE_CHECKING:
    from numpy.typing import NDArray

MASK = np.outer([1, -2, 1], [1, -2, 1]) / 6
"""What a plane leaves here is noise of its own standard deviation (Immerkaer 1996)."""

TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

GROUPS = 32
"""Groups of pixels of like brightness, in each of which the noise is measured."""

PIXELS = 2**22
"""About as many are measured: of a large stack, every so many planes."""

DARK = 0.1
"""Percentile of the darkest pixels."""

WINDOW = 2.0
"""Standard deviation in pixels of the mean that tells brightness."""

LEAST = 2 * np.sqrt(3 / 8)
"""The stabilized value of no light."""


@dataclass(frozen=True, slots=True)
class ShotNoise:
    """Noise of the variance ``gain * x + floor``.

    Parameters
    ----------
    gain
        Grey values a photoelectron.
    floor
        Variance where the image is 0.
    """

    gain: float
    floor: float

    @classmethod
    def of(cls, image: NDArray[Any]) -> ShotNoise:
        """Measure the noise of an image ([Z,] Y, X) that is known alone.

        In groups of like brightness, the median of what a second difference along Y
        and X leaves tells the variance, and a line is fitted to those (in the manner
        of Foi et al., IEEE Trans. Image Process. 17, 2008).
        """
        planes = image.reshape(-1, *image.shape[-2:])
        planes = planes[:: -(-image.size // PIXELS)].astype(np.float64)
        rest = np.stack([ndimage.convolve(plane, MASK) for plane in planes]).ravel()
        level = ndimage.gaussian_filter(planes, (0, WINDOW, WINDOW)).ravel()
        groups = np.array_split(np.argsort(level, kind="stable"), GROUPS)
        mean = np.array([level[g].mean() for g in groups if g.size])
        spread = np.array([np.median(np.abs(rest[g])) for g in groups if g.size])
        variance = (TO_SIGMA * spread) ** 2
        weight = 1 / np.maximum(variance, 1e-3 * variance.max(initial=0) + 1e-12)
        # The line is not negative at the darkest pixels, so that few are cut off.
        dark = min(float(np.percentile(planes, DARK)), 0.0)
        lines = np.stack([np.maximum(mean - dark, 0), np.ones_like(mean)], axis=1)
        gain, floor = optimize.nnls(lines * weight[:, None], variance * weight)[0]
        return cls(float(gain), float(floor - gain * dark))

    @property
    def absent(self) -> bool:
        """Whether there is no noise to speak of."""
        return self.gain + self.floor < 1e-10

    @property
    def constant(self) -> bool:
        """Whether the variance hardly depends on brightness."""
        return self.gain < 1e-3 * self.floor

    def stabilize(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Give the noise the variance 1 (generalized Anscombe transform)."""
        if self.constant:
            return np.asarray(image / np.sqrt(self.floor), np.float32)
        light = self.gain * image + 0.375 * self.gain**2 + self.floor
        return np.asarray(2 / self.gain * np.sqrt(np.maximum(light, 0)), np.float32)

    def restore(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Go back without bias.

        The exact unbiased inverse in the closed form of Mäkitalo & Foi, IEEE Trans.
        Image Process. 20 (2011) and 22 (2013); the plain inverse would darken.
        """
        if self.constant:
            return np.asarray(image * np.sqrt(self.floor), np.float32)
        d = np.maximum(np.asarray(image, np.float64), LEAST)
        root = np.sqrt(1.5)
        light = d**2 / 4 + root / (4 * d) - 11 / (8 * d**2) + 5 * root / (8 * d**3)
        light -= 1 / 8 + self.floor / self.gain**2
        return np.asarray(self.gain * light, np.float32)


def stabilized(baseline: Baseline) -> Baseline:
    """Let a method see noise of standard deviation 1, measured in the image itself.

    Parameters
    ----------
    baseline
        A method whose strengths are in units of the noise.
    """

    def function(image: NDArray[np.float32], strength: float) -> NDArray[Any]:
        noise = ShotNoise.of(image)
        if noise.absent:
            return image
        return noise.restore(baseline.function(noise.stabilize(image), strength))

    citation = f"{baseline.citation}; Mäkitalo & Foi, IEEE TIP 22, 2013"
    name = f"{baseline.name}, stabilized"
    return Baseline(name, function, baseline.strengths, citation)
