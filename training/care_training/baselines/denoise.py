"""Denoising: the classical filters, with the strengths that are tried of each.

Strengths of filters are widths in pixels; those of methods that compare grey values
are in units of the normalized image, or of the standard deviation of its noise where
the name ends in "stabilized". Stacks are treated in three dimensions, except by the
bilateral filter.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from skimage import restoration

from care_training.baselines.method import Baseline
from care_training.baselines.stabilize import stabilized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BILATERAL_WIDTH = 2.0
"""Standard deviation of the bilateral filter in space, in pixels."""

NLM_PLANE = {"patch_size": 5, "patch_distance": 6}
NLM_STACK = {"patch_size": 3, "patch_distance": 4}
"""Pixels across a patch, and how far away patches are looked for. In a stack, a patch
of 27 pixels among 729 compares with one of 25 among 169 in a plane."""

NLM_WIDER = {"patch_size": 7, "patch_distance": 6}
"""For a plane of known noise; 0.1 to 0.5 dB better than 5, where 5 is better without.
"""

SUBTLE = 1e-4
"""Change of the TV energy, as a share of the first, at which iterations end."""


def gaussian(image: NDArray[np.float32], sigma: float) -> NDArray[Any]:
    """Low-pass filter of a standard deviation in pixels, along every axis."""
    found: NDArray[Any] = ndimage.gaussian_filter(image, sigma)
    return found


def gaussian_in(voxel: Sequence[float]) -> Baseline:
    """Make the low-pass filter that is as wide along Z as it is along X, in um.

    Parameters
    ----------
    voxel
        Z, Y and X in um. The strength is the width in pixels along X.
    """

    def function(image: NDArray[np.float32], sigma: float) -> NDArray[Any]:
        widths = [sigma * voxel[-1] / step for step in voxel]
        found: NDArray[Any] = ndimage.gaussian_filter(image, widths)
        return found

    return replace(GAUSSIAN, name="Gaussian in um", function=function)


def median(image: NDArray[np.float32], radius: float) -> NDArray[Any]:
    """Median over a disc or ball of a radius in pixels, ([Z,] Y, X)."""
    reach = int(radius)
    steps = np.ogrid[tuple(slice(-reach, reach + 1) for _ in image.shape)]
    ball = sum(step**2 for step in steps) <= radius**2
    found: NDArray[Any] = ndimage.median_filter(image, footprint=ball)
    return found


def bilateral(image: NDArray[np.float32], tolerance: float) -> NDArray[Any]:
    """Bilateral filter, plane by plane.

    Written out here, since that of scikit-image does not become a Gaussian filter
    where all grey values are tolerated, and scores up to 6 dB less.

    Parameters
    ----------
    image
        Normalized, ([Z,] Y, X).
    tolerance
        Standard deviation in grey value of what is averaged.
    """
    reach = int(3 * BILATERAL_WIDTH)
    edge = [(0, 0)] * (image.ndim - 2) + [(reach, reach)] * 2
    padded = np.pad(image, edge, mode="symmetric")
    rows, columns = image.shape[-2:]
    total, weights = np.zeros(image.shape), np.zeros(image.shape)
    for dy, dx in np.ndindex(2 * reach + 1, 2 * reach + 1):
        other = padded[..., dy : dy + rows, dx : dx + columns]
        far = ((dy - reach) ** 2 + (dx - reach) ** 2) / BILATERAL_WIDTH**2
        weight = np.exp(-0.5 * (((other - image) / tolerance) ** 2 + far))
        total += weight * other
        weights += weight
    return total / weights


def nlm(image: NDArray[np.float32], h: float, noise: float = 0.0) -> NDArray[Any]:
    """Non-local means, in two or three dimensions.

    Parameters
    ----------
    image
        ([Z,] Y, X).
    h
        Difference of patches, in grey value, at which their weight falls to 1/e.
    noise
        Standard deviation of the noise, of which patches differ in any case.
    """
    plane = NLM_WIDER if noise else NLM_PLANE
    size = plane if image.ndim == 2 else NLM_STACK
    found: NDArray[Any] = restoration.denoise_nl_means(
        image, h=h, sigma=noise, fast_mode=True, **size
    )
    return found


def tv(image: NDArray[np.float32], weight: float) -> NDArray[Any]:
    """Total variation after Chambolle, in two or three dimensions.

    Parameters
    ----------
    image
        ([Z,] Y, X).
    weight
        Price of a step of grey value 1 over a pixel.
    """
    found: NDArray[Any] = restoration.denoise_tv_chambolle(
        image, weight=weight, eps=SUBTLE
    )
    return found


def _nlm_of_known_noise(image: NDArray[np.float32], h: float) -> NDArray[Any]:
    return nlm(image, h, noise=1.0)


BUADES = "Buades, Coll & Morel, CVPR 2005"
CHAMBOLLE = "Chambolle, J. Math. Imaging Vis. 20, 2004"

GAUSSIAN = Baseline(
    "Gaussian",
    gaussian,
    (0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0),
    "low-pass filter",
)
MEDIAN = Baseline(
    "median",
    median,
    (1.0, 1.5, 2.0, 3.0, 4.0, 6.0),
    "Tukey, Exploratory Data Analysis, 1977",
)
BILATERAL = Baseline(
    "bilateral",
    bilateral,
    (0.1, 0.2, 0.4, 0.6, 1.0, 2.0, 4.0),
    "Tomasi & Manduchi, ICCV 1998",
)
NLM = Baseline("NLM", nlm, (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6), BUADES)
TV = Baseline("total variation", tv, (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8), CHAMBOLLE)
NLM_STABILIZED = stabilized(
    Baseline("NLM", _nlm_of_known_noise, (0.4, 0.5, 0.6, 0.8, 1.0, 1.4, 2.0), BUADES)
)
TV_STABILIZED = stabilized(
    Baseline("total variation", tv, (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0), CHAMBOLLE)
)


def of_stacks(voxel: Sequence[float]) -> tuple[Baseline, ...]:
    """List what denoises stacks in little time.

    Parameters
    ----------
    voxel
        Z, Y and X in um.
    """
    smooth = (GAUSSIAN, gaussian_in(voxel), MEDIAN)
    return (*smooth, NLM, NLM_STABILIZED, TV, TV_STABILIZED)
