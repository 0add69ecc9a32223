"""Axial: how much wider a stack is blurred along Z than along X, by its spectrum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLOPE = float(np.tan(np.radians(22.5)))
"""Frequencies belong to a direction if they lie within 22.5 degrees of it."""

FLOOR = 0.4
"""Lateral frequencies above it, in cycles a pixel, are taken for noise."""

CLEAR = 3.0
"""Times the noise that a frequency needs to be looked at."""

WIDEST = 3.0
"""Greatest full width at half maximum, in distances of planes: 2.355 sigma / factor."""


def axial_blur(volume: NDArray[Any], factor: float) -> float | None:
    """Estimate the Gaussian by which a stack is blurred along Z more than along X.

    Tissue has no preferred direction, or is taken to have none: then, at each frequency
    that the planes can hold, the power along Z is lower than that along X by the square
    of the transfer of that Gaussian, ``exp(-(2 pi sigma k)**2)``. White noise is
    measured where lateral planes have nothing else, and taken off.

    Parameters
    ----------
    volume
        Shape (C, Z, Y, X), as it was recorded.
    factor
        Lateral pixels from plane to plane.

    Returns
    -------
    float or None
        Standard deviation in lateral pixels: 0 where Z is as sharp as X, and no wider
        than `WIDEST`; None where the stack does not tell. Detail that
        the planes are too far apart to hold looks sharper than it is, so that the
        estimate is rather too small than too large.
    """
    found = [_channel(channel, factor) for channel in volume]
    known = [value for value in found if value is not None]
    if not known:
        return None
    return min(float(np.sqrt(np.mean(known))), WIDEST * factor / 2.355)


def _channel(volume: NDArray[Any], factor: float) -> float | None:
    """Estimate the square of the blur of one channel (Z, Y, X), 0 or more."""
    power = _power(volume)
    z = np.abs(fft.fftfreq(volume.shape[0]))[:, None] / factor
    x = fft.rfftfreq(volume.shape[2])[None]
    noise = float(np.median(power[:, x[0] > FLOOR]))
    bins = np.arange(1, volume.shape[0] // 2) / (volume.shape[0] * factor)
    half = bins[0] / 2 if bins.size else 0.0
    top = bottom = 0.0
    for k in bins:
        axial = (abs(z - k) <= half) & (x <= SLOPE * k)
        lateral = (abs(x - k) <= half) & (z <= SLOPE * k)
        along, across = (
            float(power[where].mean()) if where.any() else 0.0
            for where in (axial, lateral)
        )
        if min(along, across) < CLEAR * noise or min(along, across) <= 0:
            continue
        weight = float(np.count_nonzero(axial))
        square = (2 * np.pi * k) ** 2
        top += weight * square * np.log((across - noise) / (along - noise))
        bottom += weight * square**2
    return max(top / bottom, 0.0) if bottom else None


def _power(volume: NDArray[Any]) -> NDArray[np.float64]:
    """Average the power of the XZ planes over Y, faded out at the edges (Hann)."""
    planes, rows, columns = volume.shape
    window = np.hanning(planes + 2)[1:-1, None] * np.hanning(columns + 2)[1:-1]
    power = np.zeros((planes, columns // 2 + 1))
    for y in range(rows):
        plane = volume[:, y].astype(np.float64)
        plane -= np.average(plane, weights=window)
        power += np.abs(fft.rfft2(plane * window)) ** 2
    mean: NDArray[np.float64] = power / rows
    return mean
