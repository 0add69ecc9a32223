"""Optics: point spread functions of the paper's microscopes, from a scalar pupil."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from scipy import fft

from care_runtime.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Kind = Literal[
    "widefield", "confocal", "spinning_disk", "two_photon", "light_sheet", "tirf"
]

CROSSTALK = 0.03
"""Share of a spinning disk that is holes: 50 um wide, 250 um apart (Yokogawa CSU)."""


@dataclass(frozen=True, slots=True)
class Optics:
    """A microscope without aberrations.

    The pupil is a disk of even amplitude, and defocus is its exact phase (a scalar
    Debye integral; Born and Wolf, Principles of Optics, 8.8; Goodman, Introduction to
    Fourier Optics). In focus that is the Airy pattern, 0.51 wavelengths / NA wide at
    half its height; along Z it is 0.88 wavelengths / (n - sqrt(n^2 - NA^2)).

    Parameters
    ----------
    kind
        ``"widefield"``; ``"confocal"``, the excitation times the emission through a
        pinhole; ``"spinning_disk"``, the same with what comes through the other holes
        of the disk; ``"two_photon"``, the square of the excitation; ``"light_sheet"``,
        widefield times a Gaussian sheet; ``"tirf"``, widefield, only 2-D, of what lies
        in an evanescent field.
    na
        Numerical aperture.
    index
        Refractive index of the immersion, and of the sample.
    emission, excitation
        Wavelengths in um.
    pinhole
        Its diameter in Airy units (1.22 emission wavelengths / NA).
    sheet
        Thickness of the light sheet in um: full width at half maximum.
    penetration
        Depth in um at which the evanescent field has fallen to 1 / e.

    Raises
    ------
    TrainingError
        If there is no such kind, or the aperture exceeds the index.
    """

    kind: Kind = "widefield"
    na: float = 1.3
    index: float = 1.518
    emission: float = 0.52
    excitation: float = 0.488
    pinhole: float = 1.0
    sheet: float = 4.0
    penetration: float = 0.1

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            msg = f"expected optics of {', '.join(get_args(Kind))}, found {self.kind!r}"
            raise TrainingError(msg)
        if not 0 < self.na < self.index:
            msg = (
                f"expected a numerical aperture below the refractive index of "
                f"{self.index:g}, found {self.na:g}"
            )
            raise TrainingError(msg)

    @property
    def lateral(self) -> float:
        """Full width at half maximum in focus, widefield, in um."""
        return 0.51 * self.emission / self.na

    @property
    def axial(self) -> float:
        """Full width at half maximum along Z, widefield, in um."""
        inner = np.sqrt(self.index**2 - self.na**2)
        return float(0.88 * self.emission / (self.index - inner))

    def psf(
        self, voxel_size: Sequence[float], shape: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Compute the point spread function, integrated over pixels.

        Parameters
        ----------
        voxel_size
            (Z, Y, X) in um, or (Y, X) for the plane in focus.
        shape
            In voxels, each odd; None for what holds the light: along Z four times the
            axial width to either side, across it the cone of light at that depth. (A
            widefield plane never loses light, however far from focus.)

        Returns
        -------
        numpy.ndarray
            Of `shape`, with its peak in the middle and a sum of 1.

        Raises
        ------
        TrainingError
            If the shape is even, or a stack of TIRF is asked for.
        """
        if self.kind == "tirf" and len(voxel_size) == 3:
            msg = "total internal reflection has no stack: give a voxel size of (Y, X)"
            raise TrainingError(msg)
        shape = self.shape(voxel_size) if shape is None else tuple(shape)
        if len(shape) != len(voxel_size) or any(n % 2 == 0 for n in shape):
            msg = f"expected {len(voxel_size)} odd numbers of voxels, found {shape}"
            raise TrainingError(msg)
        if len(voxel_size) == 3:
            depths = voxel_size[0] * np.arange(shape[0] // 2 + 1)
        elif self.kind == "tirf":
            depths = np.linspace(0, 5 * self.penetration, 21)
        else:
            depths = np.zeros(1)
        # Light that leaves the grid comes back from the other side: hold it all.
        whole = self._odd(voxel_size[-2:], self._radius(depths[-1]))
        grid: NDArray[np.int_] = np.maximum(shape[-2:], whole)
        planes = np.stack([self._plane(z, voxel_size[-2:], grid) for z in depths])
        if self.kind == "tirf":
            weight = np.exp(-depths / self.penetration)
            planes = np.tensordot(weight, planes, 1)[None]
        top, left = (grid - shape[-2:]) // 2
        planes = planes[:, top : top + shape[-2], left : left + shape[-1]]
        values = np.concatenate([planes[:0:-1], planes]).reshape(shape)
        shares: NDArray[np.float64] = values / values.sum()
        return shares.astype(np.float32)

    def shape(self, voxel_size: Sequence[float]) -> tuple[int, ...]:
        """Count the voxels, each odd, that hold the light of a point."""
        depth = 4 * self.axial if len(voxel_size) == 3 else 0.0
        across = self._odd(voxel_size[-2:], self._radius(depth))
        return (*self._odd(voxel_size[:-2], depth), *across)

    def _radius(self, depth: float) -> float:
        """Reach of the light across, in um, some depth away from focus."""
        slope = np.tan(np.arcsin(self.na / self.index))
        return float(depth * slope + 6 * self.lateral)

    @staticmethod
    def _odd(size: Sequence[float], reach: float) -> tuple[int, ...]:
        return tuple(2 * int(np.ceil(reach / s)) + 1 for s in size)

    def _plane(
        self, depth: float, size: Sequence[float], grid: NDArray[np.int_]
    ) -> NDArray[np.float64]:
        """Combine excitation and emission in one plane, in arbitrary units."""
        finest = min(self.emission, self.excitation) / (4 * self.na)
        fine = [2 * int(np.ceil((s / finest - 1) / 2)) + 1 for s in size]
        steps = [s / f for s, f in zip(size, fine, strict=True)]
        counts = [n * f for n, f in zip(grid, fine, strict=True)]

        def focus(wavelength: float) -> NDArray[np.float64]:
            return _airy(
                depth, wavelength / self.na, wavelength / self.index, steps, counts
            )

        if self.kind == "two_photon":
            values = focus(self.excitation) ** 2
        elif self.kind in ("confocal", "spinning_disk"):
            other = CROSSTALK if self.kind == "spinning_disk" else 0.0
            emission, hole = focus(self.emission), self._hole(steps, counts)
            # A hole of the disk lets light in as well as out; with one hole that scans
            # in front of a detector, excitation is a point and only emission passes it.
            if self.kind == "spinning_disk":
                values = emission * (_convolve(focus(self.excitation), hole) + other)
            else:
                values = focus(self.excitation) * _convolve(emission, hole)
        else:
            values = focus(self.emission)
        if self.kind == "light_sheet":
            values = values * np.exp(-4 * np.log(2) * (depth / self.sheet) ** 2)
        rows, columns = grid
        plane: NDArray[np.float64] = values.reshape(
            rows, fine[0], columns, fine[1]
        ).sum((1, 3))
        return plane

    def _hole(
        self, steps: Sequence[float], counts: Sequence[int]
    ) -> NDArray[np.float64]:
        """Draw the pinhole as it lies in the sample."""
        radius = self.pinhole * 0.61 * self.emission / self.na
        y, x = (s * (np.arange(n) - n // 2) for s, n in zip(steps, counts, strict=True))
        inside: NDArray[np.bool_] = np.hypot(y[:, None], x) <= max(radius, *steps)
        return inside.astype(float)


def _airy(
    depth: float,
    cutoff: float,
    medium: float,
    steps: Sequence[float],
    counts: Sequence[int],
) -> NDArray[np.float64]:
    """Compute the intensity of a defocused focus, centred, with a sum of 1.

    Parameters
    ----------
    depth
        Distance from focus in um.
    cutoff, medium
        Wavelength over aperture, and in the medium, in um.
    steps, counts
        Of the grid (Y, X), in um and samples.
    """
    ky, kx = (fft.fftfreq(n, s) for n, s in zip(counts, steps, strict=True))
    square = ky[:, None] ** 2 + kx**2
    # The rim of the pupil is softened over one sample, else its area is in steps.
    width = max(1 / (n * s) for n, s in zip(counts, steps, strict=True))
    pupil = np.clip((1 / cutoff - np.sqrt(square)) / width + 0.5, 0, 1)
    phase = 2 * np.pi * depth * np.sqrt(np.maximum(1 / medium**2 - square, 0))
    intensity = np.abs(fft.ifft2(pupil * np.exp(1j * phase))) ** 2
    centred: NDArray[np.float64] = fft.fftshift(intensity / intensity.sum())
    return centred


def _convolve(
    image: NDArray[np.float64], hole: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum an image over a pinhole about each pixel; all of it, at most."""
    product = fft.rfft2(image) * fft.rfft2(fft.ifftshift(hole))
    found: NDArray[np.float64] = np.maximum(fft.irfft2(product, image.shape), 0)
    return found
