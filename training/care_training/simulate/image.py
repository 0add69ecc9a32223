"""Images: what optics make of a scene, and what a camera is to see of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from numpy.typing import NDArray


def blur(scene: NDArray[Any], psf: NDArray[Any]) -> NDArray[np.float32]:
    """Convolve a scene with a point spread function; beyond its borders it is mirrored.

    Parameters
    ----------
    scene
        (Z, Y, X) or (Y, X).
    psf
        With as many axes, each odd. Where it sums to 1, a constant stays what it is.

    Returns
    -------
    numpy.ndarray
        Of the shape of the scene; not negative if neither of the two is.
    """
    reach = [n // 2 for n in psf.shape]
    padded = np.pad(scene.astype(np.float32), [(r, r) for r in reach], mode="symmetric")
    sizes = [fft.next_fast_len(n, real=True) for n in padded.shape]
    product = fft.rfftn(padded, sizes) * fft.rfftn(psf.astype(np.float32), sizes)
    image: NDArray[np.float32] = fft.irfftn(product, sizes)
    kept = tuple(
        slice(2 * r, 2 * r + n) for r, n in zip(reach, scene.shape, strict=True)
    )
    image = image[kept]
    return np.maximum(image, 0) if scene.min() >= 0 and psf.min() >= 0 else image


def brightness(image: NDArray[Any], *, percentile: float = 99.9) -> NDArray[np.float32]:
    """Scale an image so that a percentile of it is 1: what a camera is exposed to.

    Parameters
    ----------
    image
        Without negative values, of any shape; a density that the optics have blurred.
    percentile
        In 0 to 100; above it, values exceed 1.

    Returns
    -------
    numpy.ndarray
        Zeros, if the percentile is 0.
    """
    image = np.asarray(image, np.float32)
    top = np.percentile(image, percentile)
    return image / top if top > 0 else np.zeros_like(image)
