"""Degradation: lateral planes made to look as axial ones, to learn the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage, signal

from care_runtime.errors import TrainingError
from care_runtime.resample import gather, samples, stretched
from care_training.pairs import Pair

if TYPE_CHECKING:
    from numpy.typing import NDArray

FWHM = 2.355
"""Full width at half maximum of a Gaussian, in its standard deviations."""

LEAST = 8
"""Samples along the degraded axis below which there is nothing to learn from."""


@dataclass(frozen=True, slots=True)
class Degradation:
    """How a microscope's Z differs from its X (Methods, "Isotropic reconstruction").

    Parameters
    ----------
    factor
        Lateral pixels per plane: the distance of planes over the size of a pixel.
    blur
        Standard deviation, in lateral pixels, of the Gaussian by which the axial PSF is
        wider than the lateral one; None for a full width of one distance of planes.
    psf
        What to blur by instead, where the PSF is known: shape (Y, X), odd lengths, with
        the axial direction along X. It is that of an XZ plane, see `turned`.
    """

    factor: float
    blur: float | None = None
    psf: NDArray[np.float32] | None = None

    @property
    def sigma(self) -> float:
        """The blur in lateral pixels."""
        return self.factor / FWHM if self.blur is None else self.blur

    def __call__(self, name: str, volume: NDArray[Any]) -> Pair:
        """Blur and subsample a volume along X, plane by plane.

        Samples run from the centre of the first pixel to that of the last, where the
        runtime puts them when it stretches.

        Parameters
        ----------
        name
            Of the pair.
        volume
            Shape (C, Z, Y, X), with lateral planes of good quality.

        Returns
        -------
        Pair
            The target may be some pixels narrower than the volume.

        Raises
        ------
        TrainingError
            If fewer than 8 samples along X would be left.
        """
        count = int(volume.shape[-1] / self.factor)
        if count < LEAST:
            msg = (
                f"{name} is {volume.shape[-1]} pixels wide, so that {count} samples "
                f"are left by a factor of {self.factor:g}, fewer than {LEAST}: leave "
                "it out, or give a smaller factor"
            )
            raise TrainingError(msg)
        target = volume[..., : stretched(count, self.factor)]
        blurred = self._blurred(target.astype(np.float32))
        lines = [samples(n) for n in target.shape[1:]]
        lines[-1] = samples(target.shape[-1], count / target.shape[-1])
        return Pair(name, gather(blurred, lines), target)

    def _blurred(self, volume: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.psf is not None:
            edge = [(n // 2, n // 2) for n in self.psf.shape]
            room = np.pad(volume, [(0, 0), (0, 0), *edge], mode="symmetric")
            kernel = self.psf[None, None] / self.psf.sum()
            found = signal.fftconvolve(room, kernel, mode="valid", axes=(-2, -1))
            return np.asarray(found, np.float32)
        if self.sigma > 0:
            return np.asarray(
                ndimage.gaussian_filter1d(volume, self.sigma, mode="reflect")
            )
        return volume


def turned(psf: NDArray[Any]) -> NDArray[np.float32]:
    """Turn a PSF so that it blurs lateral planes as it blurs axial ones.

    What lies in a plane goes on beyond it, and so does the blur: the light is summed
    along Y. An axial line through the middle would be far too narrow where a beam
    widens out of focus, since all of its light is still there.

    Parameters
    ----------
    psf
        Shape (Z, Y, X), odd lengths, sampled isotropically.

    Returns
    -------
    numpy.ndarray
        Shape (X, Z), for the lateral Y and X of `Degradation`.
    """
    return np.asarray(psf.sum(axis=1).T, np.float32)
