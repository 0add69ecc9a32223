"""Tiles: small pictures in their own pixels, in rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from care_training.report.profile import Line

MARK = (230, 159, 0)
"""Colour of lines and frames: orange, which colour-blind eyes tell from grey."""

GAP = 4
"""White pixels between the tiles of a file."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture and what is written below it.

    Parameters
    ----------
    label
        What is shown.
    pixels
        Shape (Y, X, 3), uint8.
    strong
        Whether the label is highlighted: the network's own.
    """

    label: str
    pixels: NDArray[np.uint8]
    strong: bool = False

    @property
    def png(self) -> bytes:
        """The picture as PNG."""
        return png(self.pixels)


@dataclass(frozen=True, slots=True)
class Row:
    """Tiles side by side.

    Parameters
    ----------
    name
        Of the file that holds them all, without suffix.
    title
        What they have in common.
    tiles
        From left to right.
    """

    name: str
    title: str
    tiles: tuple[Tile, ...]

    @property
    def png(self) -> bytes:
        """All tiles beside each other, as PNG."""
        height = max(tile.pixels.shape[0] for tile in self.tiles)
        parts = []
        for tile in self.tiles:
            y, x = tile.pixels.shape[:2]
            part = np.full((height, x + GAP, 3), 255, np.uint8)
            part[:y, :x] = tile.pixels
            parts.append(part)
        return png(np.concatenate(parts, axis=1)[:, :-GAP])


def grey(plane: NDArray[Any], low: float = 0.0, high: float = 1.0) -> NDArray[np.uint8]:
    """Show a plane (Y, X) in grey, black at `low` and white at `high`."""
    levels = _levels(plane, low, high)
    return np.repeat(levels[..., None], 3, axis=-1)


def coloured(
    plane: NDArray[Any], low: float, high: float, colours: str = "magma"
) -> NDArray[np.uint8]:
    """Show a plane (Y, X) in the colours of a map."""
    import matplotlib

    table = matplotlib.colormaps[colours](np.arange(256))[:, :3]
    found: NDArray[np.uint8] = (255 * table).astype(np.uint8)[_levels(plane, low, high)]
    return found


def _levels(plane: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    part = (plane - low) / max(high - low, 1e-20)
    return np.rint(255 * np.clip(part, 0, 1)).astype(np.uint8)


def framed(
    pixels: NDArray[np.uint8], centre: tuple[int, int], size: Sequence[int]
) -> NDArray[np.uint8]:
    """Draw a frame around a window."""
    found = pixels.copy()
    height, width = found.shape[:2]
    top, left = (max(c - s // 2 - 1, 0) for c, s in zip(centre, size, strict=True))
    bottom, right = (
        min(c + s // 2 + 1, n - 1)
        for c, s, n in zip(centre, size, (height, width), strict=True)
    )
    found[[top, bottom], left : right + 1] = MARK
    found[top : bottom + 1, [left, right]] = MARK
    return found


def crossed(pixels: NDArray[np.uint8], line: Line) -> NDArray[np.uint8]:
    """Draw a dashed line."""
    found = pixels.copy()
    rows, columns = np.rint(line.points).astype(int)
    dashed = np.arange(len(rows)) % 6 < 4
    found[rows[dashed], columns[dashed]] = MARK
    return found


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode a picture (Y, X, 3)."""
    import imagecodecs

    return bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))


def named(*parts: Any) -> str:
    """Make the name of a file of words and numbers."""
    words = " ".join(str(part) for part in parts if part not in ("", None)).lower()
    return "_".join("".join(c if c.isalnum() else " " for c in words).split())


def range_of(planes: Iterable[NDArray[Any]]) -> tuple[float, float]:
    """Find the grey values of planes between which they are shown together."""
    values = np.concatenate([plane.ravel() for plane in planes])
    low, high = np.percentile(values, (0.5, 99.5))
    return float(low), float(high)
