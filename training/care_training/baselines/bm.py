"""Block matching: BM3D and BM4D, by the packages of their authors.

Both packages are free for non-commercial use alone, so they come with an extra of
their own, ``baselines-noncommercial``, and nothing else needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_training.baselines.method import Baseline
from care_training.baselines.packages import require
from care_training.baselines.stabilize import stabilized

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXTRA = "baselines-noncommercial"
"""The extra that installs the packages."""


def bm3d(image: NDArray[np.float32], noise: float) -> NDArray[Any]:
    """BM3D, plane by plane.

    Parameters
    ----------
    image
        ([Z,] Y, X), of at least 8 x 8 pixels.
    noise
        Standard deviation of the noise, in grey value.

    Raises
    ------
    MissingPackageError
        If the package ``bm3d`` is not installed.
    """
    package = require("bm3d", EXTRA)
    planes = image.astype(np.float64).reshape(-1, *image.shape[-2:])
    done = [package.bm3d(plane, noise) if np.ptp(plane) else plane for plane in planes]
    return np.reshape(done, image.shape)


def bm4d(image: NDArray[np.float32], noise: float) -> NDArray[Any]:
    """BM4D of a stack; of a plane, what its package makes of a stack of one plane.

    Parameters
    ----------
    image
        ([Z,] Y, X).
    noise
        Standard deviation of the noise, in grey value.

    Raises
    ------
    MissingPackageError
        If the package ``bm4d`` is not installed.
    """
    package = require("bm4d", EXTRA)
    if not np.ptp(image):
        return image
    return np.reshape(package.bm4d(image.astype(np.float64), noise), image.shape)


DABOV = "Dabov et al., IEEE Trans. Image Process. 16, 2007"
MAGGIONI = "Maggioni et al., IEEE Trans. Image Process. 22, 2013"
GREY = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)
"""Strengths in units of the normalized image."""
NOISES = (0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0)
"""Strengths in units of the noise."""

BM3D = Baseline("BM3D", bm3d, GREY, DABOV)
BM4D = Baseline("BM4D", bm4d, GREY, MAGGIONI)
BM3D_STABILIZED = stabilized(Baseline("BM3D", bm3d, NOISES, DABOV))
BM4D_STABILIZED = stabilized(Baseline("BM4D", bm4d, NOISES, MAGGIONI))
