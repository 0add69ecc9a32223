"""Ring correlation: to which detail two images of one field agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import fft, ndimage

from care_runtime import pixels
from care_runtime.errors import ImageError, OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

THRESHOLD = 1 / 7
"""Correlation down to which images agree (Nieuwenhuizen et al. 2013)."""

SMOOTHED = 3
"""Neighbouring rings whose median stands for each when a crossing is sought."""

SMALLEST = 16
"""Pixels along Y and X that a curve needs."""


@dataclass(frozen=True, slots=True)
class RingCorrelation:
    """Fourier ring correlation of two images.

    Parameters
    ----------
    frequency
        Centres of the rings (n), in cycles per unit of the pixel size, up to Nyquist.
    correlation
        Of each ring (n), -1 to 1.
    resolution
        Period at which the curve falls below the threshold, in the unit of the pixel
        size. Two pixels if it never does: the sampling is the limit then. Infinite if
        it lies below from the first ring on: the images have nothing in common.
    """

    frequency: NDArray[np.float64]
    correlation: NDArray[np.float64]
    resolution: float


def ring_correlation(
    first: NDArray[Any],
    second: NDArray[Any],
    *,
    pixel: float = 1.0,
    threshold: float = THRESHOLD,
) -> RingCorrelation:
    """Correlate two images of one field ring by ring in Fourier space.

    Both are faded out at their edges (Hann). The resolution is where the curve, as the
    median of three rings, first falls below the threshold, by default 1/7
    (Nieuwenhuizen et al. 2013, "Measuring image resolution in optical nanoscopy",
    Nature Methods 10, 557, doi:10.1038/nmeth.2448). The noise of the images has to be
    independent: two restorations by one network share its prior, and agree more than
    the sample warrants.

    Parameters
    ----------
    first, second
        (Y, X) of one shape.
    pixel
        Size of a pixel in µm, or 1 for a resolution in pixels.
    threshold
        Of the correlation, between 0 and 1.

    Raises
    ------
    ImageError
        If the shapes differ, or the images are small, constant or not finite.
    OptionError
        If the pixel size or the threshold is out of range.
    """
    _check(first, second)
    if not pixel > 0 or not 0 < threshold < 1:
        msg = (
            "expected a pixel size above 0 and a threshold between 0 and 1, found "
            f"{pixel:g} and {threshold:g}"
        )
        raise OptionError(msg)
    one, two = _transformed(first), _transformed(second)
    rings = min(first.shape) // 2
    y, x = fft.fftfreq(first.shape[0]), fft.fftfreq(first.shape[1])
    radius = np.hypot(y[:, None], x)
    # Frequencies beyond Nyquist, in the corners, belong to no whole ring.
    place = np.rint(radius * 2 * rings).astype(int)
    place[place > rings] = 0

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        # Sums of weights are no whole numbers, as numpy's types have it.
        sums: NDArray[Any] = np.bincount(place.ravel(), values.ravel(), rings + 1)[1:]
        return sums

    common = summed((one * two.conj()).real)
    power = np.sqrt(summed(np.abs(one) ** 2) * summed(np.abs(two) ** 2))
    correlation = np.divide(common, power, out=np.zeros(rings), where=power > 0)
    frequency = np.arange(1, rings + 1) / (2 * rings)
    resolution = pixel * _period(frequency, correlation, threshold)
    return RingCorrelation(frequency / pixel, correlation, resolution)


def _period(
    frequency: NDArray[np.float64], correlation: NDArray[np.float64], threshold: float
) -> float:
    """Find the period, in pixels, at which a curve falls below a threshold."""
    smooth = ndimage.median_filter(correlation, SMOOTHED, mode="nearest")
    below = np.flatnonzero(smooth < threshold)
    if not len(below):
        return float(1 / frequency[-1])
    after = int(below[0])
    if not after:
        return float("inf")
    before = after - 1
    part = (smooth[before] - threshold) / (smooth[before] - smooth[after])
    found = frequency[before] + part * (frequency[after] - frequency[before])
    return float(1 / found)


def _transformed(image: NDArray[Any]) -> NDArray[np.complex128]:
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in image.shape))
    plane = image.astype(np.float64)
    plane -= np.average(plane, weights=window)
    transformed: NDArray[np.complex128] = fft.fft2(plane * window)
    return transformed


def _check(first: NDArray[Any], second: NDArray[Any]) -> None:
    if first.ndim != 2 or first.shape != second.shape or min(first.shape) < SMALLEST:
        msg = (
            "expected two images (Y, X) of one shape and at least "
            f"{SMALLEST} pixels, found {first.shape} and {second.shape}: give the same "
            "plane of the same field twice"
        )
        raise ImageError(msg)
    for image in (first, second):
        pixels.check(image)
        if image.min() == image.max():
            msg = (
                "expected structure in both images, found one grey value throughout: "
                "an image without contrast correlates with none"
            )
            raise ImageError(msg)
