"""Liver: hepatocytes with their actin and nuclei, and the envelopes of nuclei."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from care_training.simulate.nucleus import stained_nuclei
from care_training.simulate.packing import pack
from care_training.simulate.perlin import perlin_noise
from care_training.simulate.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def hepatocytes(
    shape: Sequence[int],
    rng: np.random.Generator,
    *,
    voxel_size: Sequence[float] = (0.3, 0.3, 0.3),
    cell: float = 25.0,
    cortex: float = 0.5,
    actin: float = 0.6,
) -> Scene:
    """Draw liver cells stained with DAPI and phalloidin, in one channel.

    Parameters
    ----------
    shape
        (Z, Y, X).
    rng
        Of all draws.
    voxel_size
        In um.
    cell
        Diameter of a hepatocyte in um: 20 to 30.
    cortex
        Thickness of the actin between two cells in um: full width at half maximum.
    actin
        Brightness of it, relative to nuclei; three times that where three cells meet,
        in the bile canaliculi.

    Returns
    -------
    Scene
        Labels are those of nuclei.
    """
    size = np.asarray(voxel_size, float)
    extent = size * shape
    nuclei = stained_nuclei(
        shape, rng, voxel_size=voxel_size, diameter=(7.0, 10.0), fill=0.06
    )
    ball = np.pi / 6 * cell**3
    count = max(4, round(0.64 * np.prod(extent + cell) / ball))
    centres, _ = pack(extent, np.full(count, 0.4 * cell), rng, contact=1.0)
    between, corners = _borders(shape, rng, size, centres, cell)
    sigma = cortex / 2.355
    sheets = np.exp(-0.5 * (between / sigma) ** 2)
    canals = np.exp(-0.5 * (corners / (2 * sigma)) ** 2)
    density = nuclei.density + np.float32(actin) * (sheets + 2 * canals)
    return Scene(density.astype(np.float32), nuclei.labels)


def _borders(
    shape: Sequence[int],
    rng: np.random.Generator,
    size: NDArray[np.float64],
    centres: NDArray[np.float64],
    cell: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Measure how far voxels lie from the border of two cells, and of three, in um."""
    # Space bends smoothly: look at every third voxel, and interpolate. Distances have a
    # kink at a border, and are measured at all.
    coarse = [np.arange(0, n + 3, 3) * s for n, s in zip(shape, size, strict=True)]
    grid = np.stack(np.meshgrid(*coarse, indexing="ij"), -1)
    for axis in range(3):  # borders are not planes: bend space a little
        period = 0.6 * cell / (3 * size)
        bend = perlin_noise(grid.shape[:3], rng, period=period, octaves=1)
        grid[..., axis] += 0.15 * cell * (bend - 0.5)
    at = np.meshgrid(*(np.arange(n) / 3 for n in shape), indexing="ij", copy=False)
    places = [
        ndimage.map_coordinates(grid[..., axis], at, order=1).ravel()
        for axis in range(3)
    ]
    apart, _ = KDTree(centres).query(np.stack(places, -1), k=3)
    two, three = (
        ((apart[:, other] - apart[:, 0]) / 2).astype(np.float32).reshape(shape)
        for other in (1, 2)
    )
    return two, three


def envelopes(
    labels: NDArray[Any],
    rng: np.random.Generator,
    *,
    voxel_size: Sequence[float],
    width: float = 0.15,
) -> NDArray[np.float32]:
    """Draw the envelopes of nuclei, where LAP2b is.

    Parameters
    ----------
    labels
        Nuclei, (Z, Y, X).
    rng
        Of the brightness of each.
    voxel_size
        In um.
    width
        Of an envelope in um: standard deviation.

    Returns
    -------
    numpy.ndarray
        Density (Z, Y, X), about 1 in an envelope.
    """
    light = rng.lognormal(-0.05, 0.3, int(labels.max()) + 1)
    light[0] = 0
    edge = np.zeros(labels.shape, bool)
    for axis in range(labels.ndim):
        step = np.diff(labels, axis=axis) != 0
        here = [slice(None)] * labels.ndim
        for shift in (slice(0, -1), slice(1, None)):
            here[axis] = shift
            edge[tuple(here)] |= step
    shell = np.where(edge, light[labels], 0).astype(np.float32)
    smooth = ndimage.gaussian_filter(shell, [width / s for s in voxel_size])
    scaled: NDArray[np.float32] = smooth / max(float(np.percentile(smooth, 99.5)), 1e-6)
    return scaled
