"""View: the part of an image that is shown, chosen from its truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Cut = tuple[slice | int, ...]

SIZE = 128
"""Pixels of a view along each side, at most."""


@dataclass(frozen=True, slots=True)
class View:
    """A plane or section of an image, in its own pixels.

    Parameters
    ----------
    name
        ``"plane"``, ``"lateral plane"`` or ``"axial section"``.
    cut
        Indices of the space axes, of which two are left.
    """

    name: str
    cut: Cut

    def of(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Cut it out of an image (C, [Z,] Y, X): (C, height, width)."""
        return np.asarray(image[(slice(None), *self.cut)], np.float32)

    @property
    def place(self) -> str:
        """Say where it lies, in pixels from 0."""
        axes = "ZYX"[-len(self.cut) :]
        return ", ".join(
            f"{a} {c.start} to {c.stop - 1}" if isinstance(c, slice) else f"{a} {c}"
            for a, c in zip(axes, self.cut, strict=True)
        )


def views(truth: NDArray[Any], size: int = SIZE) -> tuple[View, ...]:
    """Choose where the truth shows the most: a window of a plane, and a section.

    Parameters
    ----------
    truth
        Shape (C, [Z,] Y, X).
    size
        Pixels along each side, at most.

    Returns
    -------
    tuple of View
        One of a plane; of a stack a lateral plane and an axial section.
    """
    shown = energy(truth)
    if shown.ndim == 2:
        return (View("plane", window(shown, size)),)
    z = _middle(shown.mean(axis=(1, 2)))
    rows, columns = window(shown[z], size)
    row = rows.start + _middle(shown[:, rows, columns].mean(axis=(0, 2)))
    depth = len(shown)
    first = min(max(z - size // 2, 0), max(depth - size, 0))
    planes = slice(first, min(first + size, depth))
    return (
        View("lateral plane", (z, rows, columns)),
        View("axial section", (planes, row, columns)),
    )


def _middle(values: NDArray[Any]) -> int:
    """Find the greatest value in the middle half: borders show less than there is."""
    margin = len(values) // 4
    return margin + int(np.argmax(values[margin : len(values) - margin]))


def energy(image: NDArray[Any]) -> NDArray[np.float32]:
    """Measure how much every pixel stands out, over all channels: ([Z,] Y, X)."""
    found = np.zeros(image.shape[1:], np.float32)
    for channel in image:
        far = channel.astype(np.float32) - np.float32(channel.mean(dtype=np.float64))
        found += far**2 / max(float(np.mean(far**2)), 1e-20)
    return found


def window(plane: NDArray[Any], size: int) -> tuple[slice, slice]:
    """Find the window of a plane (Y, X) with the most around its middle."""
    sizes = [min(size, n) for n in plane.shape]
    local = ndimage.gaussian_filter(plane, [s / 4 for s in sizes], mode="constant")
    # Centres of windows that lie inside; each starts size // 2 before its centre.
    whole = tuple(
        slice(s // 2, s // 2 + n - s + 1)
        for s, n in zip(sizes, plane.shape, strict=True)
    )
    starts = np.unravel_index(int(np.argmax(local[whole])), local[whole].shape)
    y, x = (slice(int(a), int(a) + s) for a, s in zip(starts, sizes, strict=True))
    return y, x


def around(place: Sequence[int], shape: Sequence[int], size: int) -> list[slice]:
    """Cut a window around a place that stays inside the image."""
    found = []
    for centre, n in zip(place, shape, strict=True):
        first = min(max(centre - size // 2, 0), max(n - size, 0))
        found.append(slice(first, min(first + size, n)))
    return found
