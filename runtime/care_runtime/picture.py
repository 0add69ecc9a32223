"""Picture: images side by side, as PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.files import written
from care_runtime.normalize import Affine, percentiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

GAP = 4
"""White pixels between images."""


def side_by_side(images: Sequence[NDArray[Any]]) -> NDArray[np.uint8]:
    """Lay images beside each other, each stretched between its percentiles.

    Parameters
    ----------
    images
        Planes (Y, X) of one height; stacks (Z, Y, X) are projected to their maximum.
    """
    planes = [_display(image) for image in images]
    height = planes[0].shape[0]
    gap = np.full((height, GAP), 255, np.uint8)
    row: list[NDArray[np.uint8]] = [planes[0]]
    for plane in planes[1:]:
        row += [gap, plane]
    return np.concatenate(row, axis=1)


def _display(image: NDArray[Any]) -> NDArray[np.uint8]:
    plane = image.max(axis=0) if image.ndim == 3 else image
    affine = Affine.between(*percentiles(plane, (0.5, 99.8)))
    return (255 * np.clip(affine(plane), 0, 1)).astype(np.uint8)


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a grey picture (Y, X)."""
    import imagecodecs

    with written(path) as partial:
        partial.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(picture)))
