"""Squirrel: where a super-resolved image disagrees with the widefield image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage, optimize

from care_runtime import pixels
from care_runtime.errors import ImageError, OptionError
from care_training.pairs import linear_fit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

LARGEST = 8.0
"""Standard deviation of the resolution scaling, in pixels of the reference, at most."""

STEPS = 12
"""Standard deviations that are tried before the best one is refined."""


@dataclass(frozen=True, slots=True)
class ScaledError:
    """A super-resolved image, brought to the resolution of its reference.

    Parameters
    ----------
    sigma
        Standard deviation of the Gaussian resolution scaling, in pixels of the
        reference.
    alpha, beta
        Gain and offset that bring the super-resolved image to the reference's units.
    rse
        Resolution-scaled error: root mean square of the error, in grey values of the
        reference; 0 is best.
    rsp
        Resolution-scaled Pearson coefficient, -1 to 1; 1 is best.
    error
        Map (Y, X) of the absolute error, in grey values of the reference.
    """

    sigma: float
    alpha: float
    beta: float
    rse: float
    rsp: float
    error: NDArray[np.float64]


def scaled_error(
    reference: NDArray[Any], image: NDArray[Any], *, largest: float = LARGEST
) -> ScaledError:
    """Compare a super-resolved image with the widefield image of the same field.

    The image is blurred by a Gaussian and scaled to ``alpha * image + beta`` such that
    the squared distance from the reference is the least; what is left are artefacts:
    structures that were made up, lost or changed in brightness (Culley et al. 2018,
    "Quantitative mapping and minimization of super-resolution optical imaging
    artifacts", Nature Methods 15, 263, doi:10.1038/nmeth.4605; here Fig. 4d). Drift
    between the images counts as error: register them before.

    Parameters
    ----------
    reference
        Widefield image (Y, X).
    image
        Super-resolved image (Y, X), as large, or larger by a whole number of times: it
        is then averaged over blocks of pixels.
    largest
        Widest blur to try, in pixels of the reference.

    Raises
    ------
    ImageError
        If the images are not finite or constant, or one does not fit the other.
    OptionError
        If the widest blur is not above 0.
    """
    times = _magnification(reference, image)
    if not largest > 0:
        msg = f"expected a widest blur above 0 pixels, found {largest}: give {LARGEST}"
        raise OptionError(msg)
    truth, sharp = reference.astype(np.float64), image.astype(np.float64)

    def scaled(sigma: float) -> NDArray[np.float64]:
        return _binned(ndimage.gaussian_filter(sharp, sigma * times), times)

    def error(sigma: float) -> float:
        blurred = scaled(sigma)
        slope, offset = linear_fit(truth, blurred)
        return float(np.mean((slope * blurred + offset - truth) ** 2))

    sigma = _least(error, largest)
    blurred = scaled(sigma)
    slope, offset = linear_fit(truth, blurred)
    difference = np.abs(slope * blurred + offset - truth)
    rse = float(np.sqrt(np.mean(difference**2)))
    rsp = float(np.corrcoef(blurred.ravel(), truth.ravel())[0, 1])
    return ScaledError(sigma, slope, offset, rse, rsp, difference)


def _least(error: Callable[[float], float], largest: float) -> float:
    """Find the blur of the least error: the best of a few, refined."""
    tried = [0.0, *np.geomspace(largest / 2 ** (STEPS / 2), largest, STEPS)]
    errors = [error(sigma) for sigma in tried]
    best = int(np.argmin(errors))
    bounds = (tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)])
    refined = optimize.minimize_scalar(
        error, bounds=bounds, method="bounded", options={"xatol": 1e-3}
    )
    return float(refined.x if refined.fun < errors[best] else tried[best])


def _magnification(reference: NDArray[Any], image: NDArray[Any]) -> int:
    """Tell how many times larger an image is, refusing what cannot be compared."""
    times = image.shape[0] // max(reference.shape[0], 1) if image.ndim else 0
    wanted = tuple(times * n for n in reference.shape)
    if reference.ndim != 2 or times < 1 or image.shape != wanted:
        msg = (
            "expected an image (Y, X) as large as the reference, or a whole number of "
            f"times larger, found {image.shape} for a reference of {reference.shape}: "
            "crop both to the same field"
        )
        raise ImageError(msg)
    for name, plane in (("reference", reference), ("image", image)):
        pixels.check(plane)
        coarse = _binned(plane, len(plane) // len(reference))
        if coarse.min() == coarse.max():
            msg = (
                f"expected structure in the {name}, found one grey value throughout: "
                "an image without contrast cannot be scaled to another"
            )
            raise ImageError(msg)
    return times


def _binned(image: NDArray[Any], times: int) -> NDArray[np.float64]:
    """Average over blocks of `times` x `times` pixels."""
    height, width = (n // times for n in image.shape)
    blocks = image.reshape(height, times, width, times)
    averaged: NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return averaged
