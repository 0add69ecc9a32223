"""Sketches: filaments and nuclei as one Gaussian blur away from a microscope's.

Quick pictures for samples, demos and benchmarks, in pixels. Scenes in micrometres, with
labels and a true point spread function, are made by the other modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray


def filaments(
    shape: tuple[int, ...],
    rng: np.random.Generator,
    *,
    density: float = 0.1,
    stiffness: float = 250.0,
    psf: float = 1.6,
    haze: float = 1.0,
) -> NDArray[np.float64]:
    """Draw microtubules as worm-like chains, blurred by a widefield microscope.

    Parameters
    ----------
    shape
        (Y, X) or (Z, Y, X) in pixels; think of 80 nm a pixel.
    rng
        Of all draws.
    density
        Pixels that a filament crosses, as a share of a plane.
    stiffness
        Persistence length in pixels: tens of micrometres in cells.
    psf
        Standard deviation in pixels of the Gaussian that stands for the point spread
        function: 0.13 um, an NA of 1.0 to 1.4; along Z it is twice that.
    haze
        Light from out of focus, as a share of that in focus.

    Returns
    -------
    numpy.ndarray
        Brightness between 0 and 1.
    """
    length = 2 * max(shape)
    count = max(3, round(density * shape[-2] * shape[-1] / max(shape[-2:])))
    image = np.zeros(shape)
    for _ in range(count):
        points = _chain(np.array(shape), length, stiffness, rng)
        inside = np.all((points >= 0) & (points <= np.array(shape) - 1), axis=1)
        places = np.rint(points[inside]).astype(int)
        np.add.at(image, tuple(places.T), rng.uniform(0.4, 1.0))
    width = [2 * psf, psf, psf][-len(shape) :]
    focused = ndimage.gaussian_filter(image, width)
    blurred = ndimage.gaussian_filter(image, [8 * w for w in width])
    blurred *= haze * focused.sum() / max(blurred.sum(), 1e-12)
    image = focused + blurred
    scaled: NDArray[np.float64] = np.clip(image / np.percentile(image, 99.9), 0.0, 1.0)
    return scaled


def nuclei(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    density: float = 0.25,
    radius: float = 12.0,
    psf: float = 1.6,
) -> NDArray[np.float64]:
    """Draw nuclei as ellipses with a texture of chromatin, blurred by a microscope.

    Parameters
    ----------
    shape
        (Y, X) in pixels.
    rng
        Of all draws.
    density
        Share of the field that they cover, if none overlapped.
    radius
        Mean half axis in pixels.
    psf
        Standard deviation in pixels of the Gaussian that stands for the point spread
        function.

    Returns
    -------
    numpy.ndarray
        Brightness between 0 and 1.
    """
    texture = ndimage.gaussian_filter(rng.normal(size=shape), radius / 6)
    texture = np.clip(1 + 0.4 * texture / texture.std(), 0.1, None)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.zeros(shape)
    for _ in range(max(1, round(density * y.size / (np.pi * radius**2)))):
        centre = rng.uniform(0, shape)
        a, b = radius * rng.uniform(0.7, 1.3, 2)
        turn = rng.uniform(0, np.pi)
        dy, dx = y - centre[0], x - centre[1]
        u, v = (
            dx * np.cos(turn) + dy * np.sin(turn),
            dy * np.cos(turn) - dx * np.sin(turn),
        )
        inside = (u / a) ** 2 + (v / b) ** 2 < 1
        image[inside] = rng.uniform(0.5, 1.0) * texture[inside]
    image = ndimage.gaussian_filter(image, psf)
    scaled: NDArray[np.float64] = np.clip(image / np.percentile(image, 99.9), 0.0, 1.0)
    return scaled


def _chain(
    size: NDArray[np.int_], length: int, stiffness: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Walk from a random point with directions that forget over `stiffness` pixels."""
    step = 0.5
    direction = rng.normal(size=size.size)
    turns = rng.normal(0.0, np.sqrt(step / stiffness), (int(length / step), size.size))
    headings = direction / np.linalg.norm(direction) + np.cumsum(turns, axis=0)
    headings /= np.linalg.norm(headings, axis=1, keepdims=True)
    path = np.cumsum(step * headings, axis=0)
    placed: NDArray[np.float64] = path - path[len(path) // 2] + rng.uniform(0, size - 1)
    return placed
