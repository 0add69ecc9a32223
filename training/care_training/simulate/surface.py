"""Surfaces: the height of a curved sheet in a stack, and projections along it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_training.simulate.perlin import perlin_noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def height_map(
    shape: Sequence[int],
    rng: np.random.Generator,
    *,
    voxel_size: Sequence[float],
    relief: float = 20.0,
    period: float = 90.0,
    margin: float = 5.0,
) -> NDArray[np.float32]:
    """Draw a smooth surface that stays within a stack.

    Parameters
    ----------
    shape
        Of the stack, (Z, Y, X).
    rng
        Of all draws.
    voxel_size
        In um.
    relief
        From the highest point to the lowest in um, but no steeper than 0.3 of the
        field's width, and no more than the stack has room for: a pupal wing bends by
        tens of um over a field.
    period
        Distance of independent bends in um.
    margin
        Least distance in um from the first and last plane, in a stack that has it.

    Returns
    -------
    numpy.ndarray
        (Y, X), in planes, with fractions.
    """
    depth = (shape[0] - 1) * voxel_size[0]
    margin = min(margin, depth / 3)
    field = max(n * s for n, s in zip(shape[1:], voxel_size[1:], strict=True))
    relief = min(relief, 0.3 * field, depth - 2 * margin)
    low = rng.uniform(margin, depth - margin - relief)
    periods = [period / size for size in voxel_size[1:]]
    bends = perlin_noise(tuple(shape[1:]), rng, period=periods, octaves=2)
    return (low + relief * bends) / np.float32(voxel_size[0])


def project(stack: NDArray[Any], height: NDArray[Any]) -> NDArray[np.float32]:
    """Sample a stack along a surface, linearly between planes.

    Parameters
    ----------
    stack
        (Z, Y, X): a density, or what the optics or a camera made of it.
    height
        (Y, X), in planes; beyond the stack, its first or last plane is taken.

    Returns
    -------
    numpy.ndarray
        (Y, X).
    """
    height = np.clip(height, 0, len(stack) - 1)
    low = np.minimum(height.astype(int), max(len(stack) - 2, 0))
    high = np.minimum(low + 1, len(stack) - 1)
    part = (height - low).astype(np.float32)
    below, above = (
        np.take_along_axis(stack, i[None], 0)[0].astype(np.float32) for i in (low, high)
    )
    found: NDArray[np.float32] = (1 - part) * below + part * above
    return found
