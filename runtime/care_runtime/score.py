"""Scores: how far a restoration is from its ground truth, as the paper measures it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import ImageError
from care_runtime.percentiles import percentiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TRUTH_PERCENTILES = (0.1, 99.9)
"""Ground truth is normalized between these before any error is measured."""

SIGMA, RADIUS = 1.5, 5
"""Gaussian window of SSIM in pixels (Wang et al. 2004)."""

C1, C2 = 0.01**2, 0.03**2
"""Constants of SSIM for a range of 1."""


@dataclass(frozen=True, slots=True)
class Scores:
    """PSNR in dB, NRMSE and SSIM of an image, or their means over images."""

    psnr: float
    nrmse: float
    ssim: float

    @classmethod
    def mean(cls, scores: Sequence[Scores]) -> Scores:
        """Average over images."""
        columns = np.array([(s.psnr, s.nrmse, s.ssim) for s in scores])
        return cls(*(float(value) for value in columns.mean(axis=0)))


def score(image: NDArray[Any], truth: NDArray[Any]) -> Scores:
    """Compare an image with its ground truth (Methods, "Quantification of errors").

    The truth is normalized between its percentiles 0.1 and 99.9, and the image is
    fitted to it by least squares, ``a * image + b``, so that no score depends on units
    or offsets. NRMSE is the root mean squared error; PSNR and SSIM take 1 for the
    range.

    Parameters
    ----------
    image, truth
        One channel, (Y, X) or (Z, Y, X), of the same shape. The SSIM of a stack is the
        mean over its planes.
    """
    if image.shape != truth.shape:
        msg = f"expected an image of the shape {truth.shape}, found {image.shape}"
        raise ImageError(msg)
    low, high = percentiles(truth, TRUTH_PERCENTILES)
    if not low < high:  # so little is bright that the percentiles do not see it
        low, high = float(truth.min()), float(truth.max())
    reference = (truth - low) / (high - low + 1e-20)
    fitted = affine_fit(image, reference)
    nrmse = float(np.sqrt(np.mean((fitted - reference) ** 2)))
    psnr = float(-20 * np.log10(nrmse)) if nrmse else float("inf")
    planes = zip(_planes(fitted), _planes(reference), strict=True)
    return Scores(psnr, nrmse, float(np.mean([ssim(x, y) for x, y in planes])))


def affine_fit(
    image: NDArray[Any], reference: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scale and shift an image to the least squared distance from another."""
    x = image.astype(np.float64)
    x -= x.mean()
    centre = reference.mean()
    variance = np.mean(x**2)
    slope = np.mean(x * (reference - centre)) / variance if variance else 0.0
    fitted: NDArray[np.float64] = slope * x + centre
    return fitted


def ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Structural similarity of two planes (Y, X) of range 1.

    The window is Gaussian and stays within the image; planes narrower than it get a
    narrower one.
    """
    mean_x, mean_y = _blurred(x), _blurred(y)
    spread_x = _blurred(x * x) - mean_x**2
    spread_y = _blurred(y * y) - mean_y**2
    shared = _blurred(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + C1) * (2 * shared + C2)
    norm = (mean_x**2 + mean_y**2 + C1) * (spread_x + spread_y + C2)
    return float(np.mean(likeness / norm))


def _planes(image: NDArray[np.float64]) -> NDArray[np.float64]:
    return image.reshape(-1, *image.shape[-2:])


def _blurred(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over the window, where all of it lies within the image."""
    for axis in (0, 1):
        radius = min(RADIUS, (plane.shape[axis] - 1) // 2)
        weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / SIGMA) ** 2)
        weights /= weights.sum()
        count = plane.shape[axis] - 2 * radius
        lines = np.moveaxis(plane, axis, 0)
        summed = sum(w * lines[i : i + count] for i, w in enumerate(weights))
        plane = np.moveaxis(np.asarray(summed), 0, axis)
    return plane
