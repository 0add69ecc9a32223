"""Layouts: where nuclei lie in a tissue or in a blastoderm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from care_training.simulate.packing import honeycomb, pack
from care_training.simulate.perlin import perlin_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = list[tuple[NDArray[np.float64], float, NDArray[np.float64] | None]]
    """Centre and radius in um, and the direction of the cell's axis, if it has one."""


def tissue(
    extent: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    diameter: tuple[float, float],
    fill: float,
) -> Places:
    """Pack nuclei where clouds, some cells across, leave no gap.

    Parameters
    ----------
    extent
        Of the field, (Z, Y, X) or (Y, X), in um.
    rng
        Of all draws.
    diameter
        Least and greatest, in um.
    fill
        Share of the volume that nuclei are to take up where there is no gap.

    Returns
    -------
    list of tuple
    """
    middle = sum(diameter) / 4
    ball = np.pi * middle**2 * (4 / 3 * middle if len(extent) == 3 else 1)
    count = max(1, round(fill * np.prod(extent + 2 * middle) / ball))
    radii = rng.uniform(diameter[0] / 2, diameter[1] / 2, count)
    step = middle / 2
    grid = tuple(int(n) for n in np.ceil((extent + 2 * radii.max()) / step) + 1)
    clouds = perlin_noise(grid, rng, period=12 * middle / step, octaves=2)

    def dense(places: NDArray[np.float64]) -> NDArray[np.bool_]:
        index = ((places + radii.max()) / step).astype(int)
        found: NDArray[np.bool_] = clouds[tuple(index.T)] > np.quantile(clouds, 0.25)
        return found

    centres, radii = pack(extent, radii, rng, wanted=dense)
    return [(c, r, None) for c, r in zip(centres, radii, strict=True)]


def blastoderm(
    extent: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    diameter: tuple[float, float],
    egg: float,
) -> Places:
    """Lay nuclei side by side on the upper side of a sphere.

    Parameters
    ----------
    extent
        Of the field, (Z, Y, X), in um.
    rng
        Of all draws.
    diameter
        Least and greatest, in um.
    egg
        Radius of the sphere in um.

    Returns
    -------
    list of tuple
    """
    low, high = diameter
    spacing = 1.05 * (low + high) / 2
    points = honeycomb(extent[1:], spacing, rng)
    top = rng.uniform(high / 2, max(high / 2, 0.35 * extent[0]))
    pole = extent[1:] / 2 + rng.uniform(-0.3, 0.3, 2) * extent[1:]
    aside = points - pole
    flat = np.linalg.norm(aside, axis=1) < 0.9 * egg
    points, aside = points[flat], aside[flat]
    sag = egg - np.sqrt(egg**2 - (aside**2).sum(1))
    z = top + sag + rng.normal(0, 0.08 * spacing, len(points))
    normals = np.column_stack([sag - egg, aside]) / egg
    # Nuclei fill their cells in a blastoderm, so sizes differ little.
    radii = np.clip(
        rng.normal(spacing / 2, 0.05 * spacing, len(points)), low / 2, high / 2
    )
    return list(zip(np.column_stack([z, points]), radii, normals, strict=True))
