"""Spectrum: how much detail a volume holds along its axis, and how much across it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import fft

from care_runtime import pixels
from care_runtime.errors import ImageError, OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANGLE = 22.5
"""Degrees from a direction that still belong to it."""

TOLERANCE = 0.01
"""Part by which voxel sizes may differ and still count as isotropic."""

SMALLEST = 8
"""Pixels along Z and X that a spectrum needs."""


@dataclass(frozen=True, slots=True)
class Spectra:
    """Power by frequency along the optical axis and across it, for plots.

    Parameters
    ----------
    frequency
        Centres of the bins, in cycles per unit of the voxel sizes, up to Nyquist.
    axial, lateral
        Mean power of the frequencies within 22.5 degrees of Z and of X, in squared grey
        values, of one shape.
    """

    frequency: NDArray[np.float64]
    axial: NDArray[np.float64]
    lateral: NDArray[np.float64]


def spectral_isotropy(
    volume: NDArray[Any], factor: float, *, voxel: tuple[float, float, float]
) -> float:
    """Compare the spectral energy of a volume along Z with that along X.

    The paper defines its spectral isotropy ratio as "the ratio of spectral energy of
    the signal in the Fourier domain along the axial and lateral dimension" (Methods,
    "Drosophila isotropic restoration"); angles and frequencies are in the supplement,
    which is not at hand. Here *along* means within 22.5 degrees, and only frequencies
    above 1 / (2 factor) cycles a pixel count: those that a Z axis of every factor-th
    plane could not hold. The power is averaged over a direction's frequencies, and over
    the XZ planes, each of which is faded out at its edges (Hann).

    Parameters
    ----------
    volume
        (Z, Y, X), one channel, isotropic: an anisotropic one is stretched before.
    factor
        Pixels of the isotropic volume per plane of the recorded one, above 1.
    voxel
        Sizes of Z, Y and X in any unit, by which the caller says that the volume is
        isotropic; (1, 1, 1) where it was simulated so.

    Returns
    -------
    float
        About 1 for an isotropic volume, near 0 for one that is blurred along Z, and
        infinite for one without any detail along X.

    Raises
    ------
    ImageError
        If this is no volume, it is not isotropic, not finite, too small or constant.
    OptionError
        If no frequency lies above 1 / (2 factor).
    """
    power, weight = _power(volume, voxel)
    along_z, along_x = _frequencies(volume)
    if not factor > 1 or not np.any(along_z[:, 0] > 0.5 / factor):
        msg = (
            "expected a factor above 1, such that the volume has frequencies above 1 / "
            f"(2 factor), found {factor:g}: give the planes that one recorded plane "
            "stands for"
        )
        raise OptionError(msg)
    axial = _towards(along_z, along_x) & (along_z > 0.5 / factor)
    lateral = _towards(along_x, along_z) & (along_x > 0.5 / factor)
    above, across = (
        float(np.average(power, weights=weight * sector)) for sector in (axial, lateral)
    )
    return above / across if across else float("inf")


def spectra(volume: NDArray[Any], *, voxel: tuple[float, float, float]) -> Spectra:
    """Measure the power along Z and along X by frequency.

    Parameters
    ----------
    volume
        (Z, Y, X), one channel, isotropic.
    voxel
        Sizes of Z, Y and X, as for `spectral_isotropy`.

    Raises
    ------
    ImageError
        If this is no volume, it is not isotropic, not finite, too small or constant.
    """
    power, weight = _power(volume, voxel)
    along_z, along_x = _frequencies(volume)
    bins = min(volume.shape[0], volume.shape[2]) // 2
    found = []
    for along, across in ((along_z, along_x), (along_x, along_z)):
        inside = _towards(along, across)
        place = np.rint(2 * bins * along[inside]).astype(int)
        counts = np.bincount(place, weight[inside], bins + 1)[1:]
        sums = np.bincount(place, (weight * power)[inside], bins + 1)[1:]
        found.append(sums / counts)
    frequency = np.arange(1, bins + 1) / (2 * bins * voxel[2])
    return Spectra(frequency, *found)


def _power(
    volume: NDArray[Any], voxel: tuple[float, float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average the power of the XZ planes over Y, with the number of each frequency."""
    _check(volume, voxel)
    planes, _, columns = volume.shape
    window = _hann(planes)[:, None] * _hann(columns)
    power = np.zeros((planes, columns // 2 + 1))
    for y in range(volume.shape[1]):
        plane = volume[:, y].astype(np.float64)
        plane -= np.average(plane, weights=window)
        power += np.abs(fft.rfft2(plane * window)) ** 2
    power /= volume.shape[1] * np.sum(window**2)
    weight = np.full(power.shape, 2.0)  # a frequency and its opposite
    weight[:, 0] = 1
    if columns % 2 == 0:
        weight[:, -1] = 1
    return power, weight


def _check(volume: NDArray[Any], voxel: tuple[float, float, float]) -> None:
    if volume.ndim != 3 or min(volume.shape[0], volume.shape[2]) < SMALLEST:
        msg = (
            f"expected a volume (Z, Y, X) of at least {SMALLEST} planes and columns, "
            f"found the shape {volume.shape}: give one channel of a larger volume"
        )
        raise ImageError(msg)
    if not min(voxel) > 0 or abs(voxel[0] / voxel[2] - 1) > TOLERANCE:
        msg = (
            "expected an isotropic volume, found voxels of "
            f"{' x '.join(f'{size:g}' for size in voxel)} (Z x Y x X): restore or "
            "stretch it to isotropic voxels first"
        )
        raise ImageError(msg)
    pixels.check(volume)
    if volume.min() == volume.max():
        msg = (
            "expected structure in the volume, found one grey value throughout: there "
            "is nothing to compare"
        )
        raise ImageError(msg)


def _frequencies(
    volume: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Absolute frequencies along Z and X in cycles a pixel, of the power's shape."""
    planes, _, columns = volume.shape
    z, x = np.abs(fft.fftfreq(planes)), fft.rfftfreq(columns)
    shape = (len(z), len(x))
    return np.broadcast_to(z[:, None], shape), np.broadcast_to(x, shape)


def _towards(
    along: NDArray[np.float64], across: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which frequencies lie within the angle of a direction, 0 excluded."""
    near: NDArray[np.bool_] = across <= np.tan(np.radians(ANGLE)) * along
    return (along > 0) & near


def _hann(size: int) -> NDArray[np.float64]:
    """Hann window that is 0 just outside the pixels."""
    window: NDArray[np.float64] = np.hanning(size + 2)[1:-1]
    return window
