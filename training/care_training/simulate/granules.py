"""Granules: insulin granules as small balls, alone and in clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def insulin_granules(
    shape: Sequence[int],
    rng: np.random.Generator,
    *,
    pixel_size: float = 0.08,
    count: float = 0.5,
    diameter: tuple[float, float] = (0.2, 0.4),
    clustered: float = 0.4,
    spread: float = 0.5,
) -> NDArray[np.float32]:
    """Draw a field of a beta cell's secretory granules, seen from above.

    The paper draws "granular points on a pixel grid", "of various sizes" (Results and
    Methods, "INS-1 cell tubular/granule restoration").

    Parameters
    ----------
    shape
        (Y, X) in pixels.
    rng
        Of all draws.
    pixel_size
        In um.
    count
        Granules for each square um. A beta cell holds some 10,000 (Olofsson et al.,
        Pfluegers Arch. 444, 2002), a few for each square um; INS-1 cells fewer, and
        SNAP labels only those that were made in its time.
    diameter
        Least and greatest in um.
    clustered
        Share of them that lie in clusters, four on average (a Thomas process).
    spread
        Standard deviation of a cluster in um.

    Returns
    -------
    numpy.ndarray
        Density (Y, X): the depth of granule above a pixel, averaged over the pixel,
        over the mean diameter, times the granule's brightness, which is 1 on average.
    """
    extent = pixel_size * np.asarray(shape, float)
    places = _places(extent, rng, count, clustered, spread)
    radii = rng.uniform(diameter[0] / 2, diameter[1] / 2, len(places))
    # Filled with label to different degrees, by their age: a factor of 2 either way.
    bright = rng.lognormal(-0.18, 0.6, len(places))
    image = np.zeros(np.asarray(shape) + 2)
    reach = int(np.ceil(diameter[1] / 2 / pixel_size)) + 1
    fine = np.arange(-reach * 4 - 2, reach * 4 + 2) / 4 + 0.125
    for (y, x), radius, light in zip(
        places / pixel_size - 0.5, radii, bright, strict=True
    ):
        row, column = round(y), round(x)
        square = (fine[:, None] + row - y) ** 2 + (fine + column - x) ** 2
        depth = 2 * np.sqrt(np.maximum((radius / pixel_size) ** 2 - square, 0))
        ball = depth.reshape(2 * reach + 1, 4, 2 * reach + 1, 4).mean((1, 3))
        _add(image, ball * light, row - reach + 1, column - reach + 1)
    return (image[1:-1, 1:-1] * (2 * pixel_size / sum(diameter))).astype(np.float32)


def _places(
    extent: NDArray[np.float64],
    rng: np.random.Generator,
    count: float,
    clustered: float,
    spread: float,
) -> NDArray[np.float64]:
    """Scatter single granules, and clusters about parents that may lie outside."""
    wide = extent + 6 * spread
    total = count * np.prod(wide)
    alone = rng.uniform(0, wide, (rng.poisson((1 - clustered) * total), 2))
    parents = rng.uniform(0, wide, (rng.poisson(clustered * total / 4), 2))
    members = np.repeat(parents, rng.poisson(4, len(parents)), axis=0)
    members += rng.normal(0, spread, members.shape)
    return np.concatenate([alone, members]) - 3 * spread


def _add(
    image: NDArray[np.float64], ball: NDArray[np.float64], row: int, column: int
) -> None:
    """Add a small image at a place that may lie partly, or fully, outside."""
    top, left = max(row, 0), max(column, 0)
    bottom, right = row + ball.shape[0], column + ball.shape[1]
    if bottom > 0 and right > 0:
        part = image[top:bottom, left:right]
        part += ball[top - row :, left - column :][: part.shape[0], : part.shape[1]]
