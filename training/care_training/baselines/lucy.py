"""Lucy: deconvolution by the iterations of Richardson and Lucy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import fft

from care_runtime.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

SEEN = 1e-4
"""Share of a point's light that must fall on the image for the point to be restored."""

DARK = 1e-6
"""Least blurred brightness, in means of the image: above the error of an FFT."""


def richardson_lucy(
    image: NDArray[Any],
    psf: NDArray[Any],
    iterations: int = 70,
    *,
    tv: float = 0.0,
) -> NDArray[np.float32]:
    """Find the scene that most probably gave the photons of an image.

    Parameters
    ----------
    image, psf, tv
        As `estimates` takes them.
    iterations
        1 or more.

    Returns
    -------
    numpy.ndarray
        The scene, float32, of the shape of the image.

    Raises
    ------
    OptionError
        If the PSF does not fit, or there are no iterations.
    """
    return next(estimates(image, psf, (iterations,), tv=tv))


def estimates(
    image: NDArray[Any],
    psf: NDArray[Any],
    iterations: Sequence[int],
    *,
    tv: float = 0.0,
) -> Iterator[NDArray[np.float32]]:
    """Find the scene of an image, and show it after several numbers of iterations.

    What lies beyond the border is restored too and then cut away, so that light that
    leaks in makes no seams (Bertero & Boccacci, Astron. Astrophys. 437, 2005). The
    reblurred scene always has all the light of the image.

    Parameters
    ----------
    image
        ([Z,] Y, X), with the background subtracted; negative pixels become 0.
    psf
        As many axes, odd lengths, centred, not negative; its sum does not matter.
    iterations
        Ascending, 1 or more.
    tv
        Weight of the total variation (Dey et al., Microsc. Res. Tech. 69, 2006), such
        as 0.002; 0 for none.

    Yields
    ------
    numpy.ndarray
        The scene, float32, of the shape of the image.

    Raises
    ------
    OptionError
        If the PSF does not fit, or there are no iterations.
    """
    psf = _checked(psf, image, min(iterations))
    blur, back, size = _convolutions(psf, image.shape)
    here = tuple(slice(0, n) for n in image.shape)
    measured = np.maximum(image, 0).astype(np.float32)
    floor = DARK * float(measured.mean()) + 1e-30
    seen = np.zeros(size, np.float32)
    seen[here] = 1
    seen = back(seen)
    inside = seen > SEEN
    scene = np.where(inside, np.float32(measured.mean()), np.float32(0))
    scene *= measured.sum() / max(float(blur(scene)[here].sum()), floor)
    ratio = np.zeros(size, np.float32)
    for done in range(1, max(iterations) + 1):
        ratio[here] = measured / np.maximum(blur(scene)[here], floor)
        gained = back(ratio) / np.where(inside, seen, 1)
        if tv:
            gained = gained / np.maximum(1 - tv * _curvature(scene), 0.1)
        scene = np.where(inside, scene * np.maximum(gained, 0), np.float32(0))
        if done in iterations:
            yield scene[here]


def _checked(
    psf: NDArray[Any], image: NDArray[Any], iterations: int
) -> NDArray[np.float32]:
    """Refuse a PSF that does not fit, and give it the sum 1."""
    if iterations < 1:
        msg = f"expected 1 iteration or more, found {iterations}"
        raise OptionError(msg)
    fits = psf.ndim == image.ndim and all(n % 2 for n in psf.shape)
    if not fits or psf.min() < 0 or not psf.sum() > 0:
        msg = (
            f"expected a PSF of {image.ndim} axes of odd lengths, nowhere negative, "
            f"found the shape {psf.shape} and a least value of {psf.min():g}: pad or "
            "cut it around its centre"
        )
        raise OptionError(msg)
    return np.asarray(psf / psf.sum(), np.float32)


def _convolutions(
    psf: NDArray[np.float32], shape: tuple[int, ...]
) -> tuple[Callable[..., Any], Callable[..., Any], list[int]]:
    """Convolve and correlate with a PSF, on a field that wraps around with room."""
    size = [
        fft.next_fast_len(n + m - 1, real=True)
        for n, m in zip(shape, psf.shape, strict=True)
    ]
    kernel = np.zeros(size, np.float32)
    kernel[tuple(slice(0, n) for n in psf.shape)] = psf
    centre = [-(n // 2) for n in psf.shape]
    kernel = np.roll(kernel, centre, axis=tuple(range(psf.ndim)))
    transfer = fft.rfftn(kernel)

    def blur(scene: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(fft.irfftn(fft.rfftn(scene) * transfer, size))

    def back(scene: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(fft.irfftn(fft.rfftn(scene) * transfer.conj(), size))

    return blur, back, size


def _curvature(scene: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divergence of the normalized gradient, on a field that wraps around."""
    axes = range(scene.ndim)
    slopes = [np.roll(scene, -1, axis) - scene for axis in axes]
    steep = np.sqrt(sum(slope**2 for slope in slopes)) + 1e-3 * scene.mean() + 1e-30
    parts = [slope / steep for slope in slopes]
    total = sum(part - np.roll(part, 1, i) for i, part in enumerate(parts))
    return np.asarray(total, np.float32)
