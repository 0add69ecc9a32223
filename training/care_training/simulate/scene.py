"""Scene: what fluoresces, before any microscope, and which object each voxel is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Scene:
    """Objects in a field.

    Parameters
    ----------
    density
        Fluorophores, (Z, Y, X) or (Y, X): 1 in an object of average brightness.
    labels
        Number of the object that each voxel belongs to, from 1; 0 is none. Of the same
        shape: what a segmentation is scored against.
    """

    density: NDArray[np.float32]
    labels: NDArray[np.int32]


def patch(
    centre: NDArray[np.float64],
    reach: float,
    size: NDArray[np.float64],
    shape: Sequence[int],
) -> tuple[tuple[slice, ...], list[NDArray[np.float32]]]:
    """Cut out what lies about a centre, to draw one object without looking at the rest.

    Parameters
    ----------
    centre
        In um from the corner of the field, one an axis.
    reach
        Half the width of the patch in um.
    size
        Of a voxel in um.
    shape
        Of the field in voxels, by which the patch is cut off.

    Returns
    -------
    tuple
        The slices of the patch, and the offset of its voxels from the centre in um:
        one array an axis, that broadcast to its shape.
    """
    first = np.clip(np.floor((centre - reach) / size), 0, shape).astype(int)
    last = np.clip(np.ceil((centre + reach) / size) + 1, 0, shape).astype(int)
    part = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    places = [
        ((np.arange(a, b) + 0.5) * s - c).astype(np.float32)
        for a, b, s, c in zip(first, last, size, centre, strict=True)
    ]
    return part, list(np.meshgrid(*places, indexing="ij", sparse=True))
