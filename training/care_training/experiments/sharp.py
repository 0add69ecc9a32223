"""Sharp: structures below the diffraction limit, and what a camera shows of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from care_training.degrade import FWHM
from care_training.pairs import Pair
from care_training.simulate import blur, brightness, perlin_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from care_training.simulate import Camera, Optics

WIDTH = 0.1
"""Width of a line or edge in the target, in um: full width at half maximum."""

CLOUDS = (0.05, 0.4)
"""Least and greatest background, relative to structures."""

PERIOD = 5.0
"""Distance of independent clouds of the background, in um: they are low frequencies."""


@dataclass(frozen=True, slots=True)
class Sharpening:
    """How structures are seen that are finer than light can show (Fig. 4).

    Parameters
    ----------
    optics
        Of the microscope.
    pixel
        In um.
    camera
        Takes every frame.
    """

    optics: Optics
    pixel: float
    camera: Camera

    def psf(self) -> NDArray[np.float32]:
        """Compute the PSF in focus (Y, X)."""
        return self.optics.psf((self.pixel, self.pixel))

    def take(
        self, density: NDArray[Any], rng: np.random.Generator, *, frames: int = 1
    ) -> Pair:
        """Record structures with a background that is not in the target.

        Parameters
        ----------
        density
            Structures (Y, X).
        rng
            Of background and noise.
        frames
            That are averaged.

        Returns
        -------
        Pair
            Low and high, both (1, Y, X); high is no photograph, but brightness.
        """
        structures = brightness(density)
        clouds = perlin_noise(density.shape, rng, period=PERIOD / self.pixel)
        scene = structures + rng.uniform(*CLOUDS) * _level(structures) * clouds
        seen = brightness(blur(scene, self.psf()))
        low = np.mean([self.camera.expose(seen, rng) for _ in range(frames)], axis=0)
        width = WIDTH / FWHM / self.pixel
        high = brightness(ndimage.gaussian_filter(density, width))
        kind = np.uint16 if frames == 1 else np.float32
        return Pair("", low.astype(kind)[None], high[None])


def _level(structures: NDArray[np.float32]) -> float:
    """How bright structures are after the microscope, about."""
    return float(np.percentile(ndimage.gaussian_filter(structures, 1.5), 99))
