"""Metrics: how far a restoration is from its ground truth, as the paper measures it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.metrics import structural_similarity

from care_runtime.normalize import percentiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRUTH_PERCENTILES = (0.1, 99.9)
"""Ground truth is normalized between these before any error is measured."""


@dataclass(frozen=True, slots=True)
class Scores:
    """PSNR in dB (of range 1), NRMSE and SSIM of one image."""

    psnr: float
    nrmse: float
    ssim: float


def normalize_truth(truth: NDArray[Any]) -> NDArray[np.float64]:
    """Normalize ground truth between its percentiles 0.1 and 99.9, without clipping."""
    low, high = percentiles(truth, TRUTH_PERCENTILES)
    return (truth.astype(np.float64) - low) / (high - low + 1e-20)


def affine_fit(image: NDArray[Any], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale and shift an image to the least squared error, ``a * image + b``."""
    x = image.astype(np.float64)
    centred = x - x.mean()
    variance = np.mean(centred**2)
    if variance == 0:
        return np.full_like(x, truth.mean())
    slope = np.mean(centred * (truth - truth.mean())) / variance
    return slope * centred + truth.mean()


def score(image: NDArray[Any], truth: NDArray[Any]) -> Scores:
    """Compare an image with its ground truth (Methods, "Quantification of errors").

    The truth is normalized between its percentiles 0.1 and 99.9 and the image is fitted
    to it by least squares, so that no score depends on units or offsets. NRMSE is the
    root mean squared error, PSNR and SSIM take 1 for the range; SSIM has Gaussian
    weights of 1.5 pixels (Wang et al. 2004).

    Parameters
    ----------
    image, truth
        One channel, (Y, X) or (Z, Y, X), of the same shape.
    """
    reference = normalize_truth(truth)
    fitted = affine_fit(image, reference)
    nrmse = float(np.sqrt(np.mean((fitted - reference) ** 2)))
    ssim = structural_similarity(
        fitted,
        reference,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        win_size=min(11, *(n - 1 + n % 2 for n in reference.shape)),
    )
    psnr = float("inf") if nrmse == 0 else float(-20 * np.log10(nrmse))
    return Scores(psnr, nrmse, float(ssim))


def mean_scores(scores: list[Scores]) -> Scores:
    """Average over images."""
    columns = [(s.psnr, s.nrmse, s.ssim) for s in scores]
    return Scores(*(float(m) for m in np.mean(columns, axis=0)))
