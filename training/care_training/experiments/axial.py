"""Axial: stacks of few, blurred planes, and what they would be with many sharp ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from care_runtime.resample import gather, samples
from care_training.degrade import FWHM, Degradation, turned
from care_training.measure import Measure
from care_training.metrics import spectral_isotropy
from care_training.pairs import Pair
from care_training.simulate import Optics, blur, brightness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from care_training.simulate import Camera


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How stacks are recorded whose planes lie apart (Fig. 3).

    Parameters
    ----------
    optics
        Of every channel, or of each.
    pixel
        Lateral pixel in um; scenes have voxels as long.
    factor
        Lateral pixels from plane to plane.
    camera
        Takes every plane.
    """

    optics: Optics | tuple[Optics, ...]
    pixel: float
    factor: float
    camera: Camera

    @property
    def voxel(self) -> tuple[float, float, float]:
        """Voxel of scenes in um."""
        return (self.pixel,) * 3

    def channel(self, number: int) -> Optics:
        """Give the optics of a channel."""
        return self.optics if isinstance(self.optics, Optics) else self.optics[number]

    def psf(self, number: int = 0) -> NDArray[np.float32]:
        """Compute the PSF of a channel, sampled like a scene."""
        return self.channel(number).psf(self.voxel)

    def take(
        self,
        densities: Sequence[NDArray[Any]],
        rng: np.random.Generator,
        *,
        labels: NDArray[Any] | None = None,
    ) -> Pair:
        """Record a scene with few planes, and with an ideal microscope.

        Parameters
        ----------
        densities
            Scenes (Z, Y, X), one a channel.
        rng
            Of the noise.
        labels
            Objects of the scene.

        Returns
        -------
        Pair
            Low: (C, Z / factor, Y, X). High: (C, Z, Y, X), brightness without noise,
            and as sharp along Z as the microscope is along X: what none records.
        """
        low, high = [], []
        for number, density in enumerate(densities):
            depth = len(density)
            lines = [samples(n) for n in density.shape]
            lines[0] = samples(depth, round(depth / self.factor) / depth)
            seen = brightness(blur(density, self.psf(number)))
            few = gather(seen[None], lines)[0]
            low.append(self.camera.expose(few, rng))
            sharp = ndimage.gaussian_filter(density, self.sharpness(number))
            high.append(brightness(sharp))
        return Pair("", np.stack(low), np.stack(high), labels=labels)

    def degrade(self, pair: Pair, rng: np.random.Generator) -> Pair:
        """Make the lateral planes of a recorded stack look like axial ones.

        They are blurred by the PSF, turned, then subsampled, and exposed once more,
        since blurring took their noise away (Methods, "Image restoration with
        semi-synthetic training data").
        """
        parts = [
            Degradation(self.factor, psf=turned(self.psf(n)))("", channel[None])
            for n, channel in enumerate(pair.low)
        ]
        low = np.concatenate([self._exposed(part.low, rng) for part in parts])
        high = np.concatenate([part.high for part in parts])
        return replace(pair, low=low, high=high, labels=None)

    def sharpness(self, number: int = 0) -> float:
        """Measure the lateral standard deviation of a PSF in focus, in pixels."""
        psf = self.psf(number)
        z, y, _ = (n // 2 for n in psf.shape)
        return _width(psf[z, y]) / FWHM

    def _exposed(
        self, grey: NDArray[Any], rng: np.random.Generator
    ) -> NDArray[np.uint16]:
        camera = self.camera
        electrons = (grey - camera.offset) * camera.gain / camera.em_gain
        seen = electrons / camera.photons - camera.background
        return camera.expose(np.maximum(seen, -camera.background), rng)


def isotropy(factor: float) -> Measure:
    """Measure the spectral isotropy ratio: 1 where Z is as sharp as X (Fig. 3b)."""

    def of(image: NDArray[Any], pair: Pair) -> float:
        found = [spectral_isotropy(c, factor, voxel=(1, 1, 1)) for c in image]
        return float(np.mean(found))

    return Measure("isotropy", of, best="1 is best")


def _width(line: NDArray[Any]) -> float:
    """Measure the full width at half maximum of a peak in the middle, in pixels."""
    half = line[len(line) // 2 :] / line[len(line) // 2]
    below = int(np.argmax(half < 0.5))
    part = (half[below - 1] - 0.5) / (half[below - 1] - half[below])
    return float(2 * (below - 1 + part))
