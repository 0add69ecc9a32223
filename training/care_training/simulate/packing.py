"""Packing: where objects lie that may touch, but not overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TRIES = 8
"""Candidates for each place: a random packing is nearly full by then."""


def pack(
    extent: Sequence[float] | NDArray[np.float64],
    radii: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    contact: float = 0.85,
    wanted: Any = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place balls one after the other where they fit (random sequential adsorption).

    Parameters
    ----------
    extent
        Of the field, (Z, Y, X) or (Y, X), in um. Centres lie up to the largest radius
        outside of it.
    radii
        In um, one a ball; those that fit nowhere are left out.
    rng
        Of all draws.
    contact
        Least distance of two centres, as a share of the sum of their radii.
    wanted
        A function of places (N, axes) in um to booleans: where balls may lie.

    Returns
    -------
    tuple of numpy.ndarray
        Centres (N, axes) and radii (N,) in um.
    """
    margin = radii.max(initial=0.0)
    candidates = rng.uniform(
        -margin, np.asarray(extent) + margin, (TRIES * len(radii), len(extent))
    )
    if wanted is not None:
        candidates = candidates[wanted(candidates)]
    centres, kept = np.empty((len(radii), len(extent))), np.empty(len(radii))
    count = 0
    for place in candidates:
        if count == len(radii):
            break
        apart = ((centres[:count] - place) ** 2).sum(1)
        if np.all(apart >= (contact * (kept[:count] + radii[count])) ** 2):
            centres[count], kept[count] = place, radii[count]
            count += 1
    return centres[:count], kept[:count]


def honeycomb(
    extent: Sequence[float] | NDArray[np.float64],
    spacing: float,
    rng: np.random.Generator,
    *,
    jitter: float = 0.12,
    margin: float | None = None,
) -> NDArray[np.float64]:
    """Place points on a plane as cells lie in a sheet: hexagons, disturbed.

    Parameters
    ----------
    extent
        (Y, X) in um.
    spacing
        Mean distance of neighbours in um.
    rng
        Of all draws.
    jitter
        Standard deviation of each coordinate, in spacings.
    margin
        How far beyond the field points lie, in um; None for three spacings.

    Returns
    -------
    numpy.ndarray
        (N, 2) in um.
    """
    margin = 3 * spacing if margin is None else margin
    height, width = np.asarray(extent) + 2 * margin
    # The lattice may be turned by any angle, so it covers the circle about the field.
    reach = int(np.ceil(np.hypot(height, width) / 2 / (0.866 * spacing))) + 1
    row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    points = spacing * np.stack([0.866 * row, column + 0.5 * (row % 2)], 1)
    turn = rng.uniform(0, np.pi)
    turned = points @ np.array(
        [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    )
    turned += rng.normal(0, jitter * spacing, turned.shape)
    turned += rng.uniform(-spacing / 2, spacing / 2, 2)
    inside = np.all(np.abs(turned) <= [height / 2, width / 2], axis=1)
    found: NDArray[np.float64] = turned[inside] + np.asarray(extent) / 2
    return found
