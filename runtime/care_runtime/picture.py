"""Picture: images side by side, as PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.axes import canonical
from care_runtime.files import written
from care_runtime.normalize import Affine
from care_runtime.percentiles import percentiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.image import Image

GAP = 4
"""White pixels between images."""


def plane(image: Image, z: int | None = None) -> NDArray[Any]:
    """Take a plane (Y, X), the middle one, of the first channel and time point."""
    stack = canonical(image.pixels, image.axes)[0, 0, 0]
    chosen: NDArray[Any] = stack[len(stack) // 2 if z is None else z]
    return chosen


def clearest(image: Image) -> int:
    """Find the plane of the first channel and time point that shows the most."""
    stack = canonical(image.pixels, image.axes)[0, 0, 0]
    return int(np.argmax([float(each.std()) for each in stack]))


def section(image: Image, height: int) -> NDArray[Any]:
    """Take the middle section (Z, X), each of its lines shown as often as it needs.

    Parameters
    ----------
    image
        With an axis Z.
    height
        Lines of the section: the planes of a stack that was stretched along Z.
    """
    stack = canonical(image.pixels, image.axes)[0, 0, 0]
    lines = np.arange(height) * len(stack) // height
    middle: NDArray[Any] = stack[lines, stack.shape[1] // 2]
    return middle


def side_by_side(images: Sequence[NDArray[Any]]) -> NDArray[np.uint8]:
    """Lay images beside each other, each stretched between its percentiles.

    Parameters
    ----------
    images
        Planes (Y, X) of one height.
    """
    shown = [_display(image) for image in images]
    height = shown[0].shape[0]
    gap = np.full((height, GAP), 255, np.uint8)
    row: list[NDArray[np.uint8]] = [shown[0]]
    for part in shown[1:]:
        row += [gap, part]
    return np.concatenate(row, axis=1)


def _display(image: NDArray[Any]) -> NDArray[np.uint8]:
    affine = Affine.between(*percentiles(image, (0.5, 99.8)))
    return (255 * np.clip(affine(image), 0, 1)).astype(np.uint8)


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a grey picture (Y, X)."""
    import imagecodecs

    with written(path) as partial:
        partial.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(picture)))
