"""Degradation: lateral planes made to look as axial ones, to learn the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

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
    """

    factor: float
    blur: float | None = None

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
        blurred = target.astype(np.float32)
        if self.sigma > 0:
            blurred = ndimage.gaussian_filter1d(blurred, self.sigma, mode="reflect")
        lines = [samples(n) for n in target.shape[1:]]
        lines[-1] = samples(target.shape[-1], count / target.shape[-1])
        return Pair(name, gather(blurred, lines), target)
