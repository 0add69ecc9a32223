"""Deconvolution: baselines of planes, stacks, and stacks made isotropic.

The paper deconvolves tubules and granules (SoftWoRx) and, for isotropic restoration,
the interpolated stack with Huygens' MLE, 70 iterations, once with the PSF and once with
one that was subsampled and interpolated as the stack was (Methods, "Zebrafish retina").
Both programs are closed; Huygens' MLE rests on what Richardson and Lucy iterate.
Strengths are numbers of iterations: to stop early is the regularization. The background
is what normalization takes away, the percentile 2 of the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from care_runtime.resample import stretched
from care_training.baselines.lucy import estimates, richardson_lucy
from care_training.baselines.method import Baseline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

COUNTS = (2, 5, 10, 20, 40, 70, 150)
"""Numbers of iterations that are tried; the paper takes 70 in Huygens."""

ITERATIONS = tuple(map(float, COUNTS))
"""The same, as strengths."""

RICHARDSON = "Richardson, J. Opt. Soc. Am. 62, 1972; Lucy, Astron. J. 79, 1974"


def gaussian_psf(sigmas: Sequence[float]) -> NDArray[np.float64]:
    """Make a Gaussian PSF of these standard deviations in pixels, one an axis."""
    image = np.zeros([2 * int(np.ceil(4 * sigma)) + 1 for sigma in sigmas])
    image[tuple(n // 2 for n in image.shape)] = 1
    blurred = ndimage.gaussian_filter(image, sigmas)
    psf: NDArray[np.float64] = blurred / blurred.sum()
    return psf


def stretch(
    image: NDArray[Any], factor: float, *, axis: int = 0, order: int = 3
) -> NDArray[np.float32]:
    """Interpolate along an axis, at the places where the runtime does.

    Parameters
    ----------
    image
        ([Z,] Y, X).
    factor
        Pixels after per pixel before.
    axis
        Z, or the axis along which a training image was degraded.
    order
        Of the spline: 3 is the paper's bicubic, 1 is linear.
    """
    lines = np.moveaxis(np.asarray(image, np.float32), axis, -1)
    count = stretched(lines.shape[-1], factor)
    places = np.arange(count) * ((lines.shape[-1] - 1) / max(count - 1, 1))
    order = min(order, lines.shape[-1] - 1)
    smooth = (
        ndimage.spline_filter1d(lines, order, mode="mirror") if order > 1 else lines
    )
    rows = smooth.reshape(-1, smooth.shape[-1])
    options = {"order": order, "mode": "mirror", "prefilter": False}
    found = [ndimage.map_coordinates(row, [places], **options) for row in rows]
    shaped = np.reshape(found, (*lines.shape[:-1], count))
    return np.asarray(np.moveaxis(shaped, -1, axis), np.float32)


def subsampled(psf: NDArray[Any], factor: float, *, axis: int = 0) -> NDArray[Any]:
    """Blur a PSF as a stack is blurred that is subsampled and interpolated again.

    The paper's second PSF. Planes `factor` apart are kept, with one in the focus, and
    interpolated with a cubic spline; its negative lobes are cut off.

    Parameters
    ----------
    psf
        ([Z,] Y, X), odd lengths, sampled isotropically.
    factor
        Pixels from plane to plane.
    axis
        The axis along which the planes lie apart.
    """
    lines = np.moveaxis(np.asarray(psf, np.float64), axis, 0)
    middle = len(lines) // 2
    planes = int(np.ceil(middle / factor)) + 2
    kept = np.arange(-planes, planes + 1)
    rest = [np.arange(n) for n in lines.shape[1:]]
    grid = np.meshgrid(middle + kept * factor, *rest, indexing="ij")
    sparse = ndimage.map_coordinates(lines, grid, order=1, mode="constant")
    reach = int((planes - 1) * factor) + 1
    fine = np.arange(-reach, reach + 1) / factor + planes
    grid = np.meshgrid(fine, *rest, indexing="ij")
    wide = np.maximum(ndimage.map_coordinates(sparse, grid, order=3), 0)
    return np.moveaxis(wide / wide.sum(), 0, axis)


def deconvolution(
    psf: NDArray[Any], name: str = "Richardson-Lucy", *, tv: float = 0.0
) -> Baseline:
    """Make the baseline of a PSF.

    Parameters
    ----------
    psf
        ([Z,] Y, X), as the images have axes.
    name
        For cards.
    tv
        Weight of the total variation, as `richardson_lucy` takes it.
    """

    def function(image: NDArray[np.float32], iterations: float) -> NDArray[Any]:
        return richardson_lucy(image, psf, round(iterations), tv=tv)

    def path(image: NDArray[np.float32]) -> Iterator[NDArray[Any]]:
        return estimates(image, psf, COUNTS, tv=tv)

    citation = f"{RICHARDSON}; Dey et al., Microsc. Res. Tech. 69, 2006"
    cited = citation if tv else RICHARDSON
    return Baseline(name, function, ITERATIONS, cited, path=path)


def interpolation(factor: float, *, axis: int = 0) -> Baseline:
    """Make the baseline that interpolates a stack; strengths are orders of splines."""

    def function(image: NDArray[np.float32], order: float) -> NDArray[Any]:
        return stretch(image, factor, axis=axis, order=round(order))

    return Baseline(
        "spline interpolation", function, (1.0, 3.0), "cubic: bicubic", raw=True
    )


def isotropic(
    psf: NDArray[Any], factor: float, *, axis: int = 0
) -> tuple[Baseline, Baseline]:
    """Make the two baselines of the paper's isotropic restoration.

    Parameters
    ----------
    psf
        ([Z,] Y, X), sampled isotropically with lateral pixels.
    factor
        Lateral pixels from plane to plane.
    axis
        The axis along which the planes lie apart.

    Returns
    -------
    tuple of Baseline
        Interpolation and Richardson-Lucy, with the PSF and with that of `subsampled`.
    """
    wider = subsampled(psf, factor, axis=axis)

    def of(kernel: NDArray[Any], name: str) -> Baseline:
        def function(image: NDArray[np.float32], iterations: float) -> NDArray[Any]:
            whole = stretch(image, factor, axis=axis)
            return richardson_lucy(whole, kernel, round(iterations))

        def path(image: NDArray[np.float32]) -> Iterator[NDArray[Any]]:
            return estimates(stretch(image, factor, axis=axis), kernel, COUNTS)

        return Baseline(name, function, ITERATIONS, RICHARDSON, raw=True, path=path)

    return (
        of(psf, "cubic + Richardson-Lucy"),
        of(wider, "cubic + Richardson-Lucy, subsampled PSF"),
    )
