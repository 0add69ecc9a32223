"""Errors: where a network invented or lost the most (the paper's S-Fig. 25)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from care_training.evaluate import INPUT, NETWORK
from care_training.report import tiles
from care_training.report.chart import TRUTH
from care_training.report.tiles import Row, Tile
from care_training.report.view import around

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

KINDS = ("invented", "lost")
"""Restored minus truth, and truth minus restored."""

WINDOW = 9
"""Pixels along each axis over which an error is averaged."""

PLANES = 3
"""The same along Z, in stacks whose planes lie farther apart than their pixels."""

COUNT = 4
"""Errors of each kind that are kept."""

CROP = 48
"""Pixels along each side of what is shown."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A strong local error, and what it looks like.

    Parameters
    ----------
    kind
        ``"invented"`` or ``"lost"``.
    image
        Name of the image.
    channel
        From 0; None where there is but one.
    place
        Centre of the window, ([Z,] Y, X) in pixels from 0.
    error
        Mean over the window, above 0; the truth's range is 1.
    marked
        Centre of the window within the crops.
    crops
        Input, restored and truth, (height, width).
    """

    kind: str
    image: str
    channel: int | None
    place: tuple[int, ...]
    error: float
    marked: tuple[int, int]
    crops: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a report."""
        return {
            "kind": self.kind,
            "image": self.image,
            "channel": self.channel,
            "place": list(self.place),
            "error": round(self.error, 4),
        }


def spots(
    name: str,
    seen: NDArray[np.float32],
    restored: NDArray[np.float32],
    truth: NDArray[np.floating[Any]],
    *,
    axial: bool = False,
) -> dict[str, list[Spot]]:
    """Find the strongest errors of one image, by kind.

    The error is averaged with its sign over a window, so that noise of the truth and
    edges that are a pixel off weigh less than what was invented or lost as a whole.

    Parameters
    ----------
    name
        Of the image.
    seen, restored, truth
        Shape (C, [Z,] Y, X), in the units of the normalized truth.
    axial
        Whether stacks are isotropic, and shown as axial sections.
    """
    found: dict[str, list[Spot]] = {kind: [] for kind in KINDS}
    for channel, (x, y, z) in enumerate(zip(seen, restored, truth, strict=False)):
        size = (PLANES if z.ndim == 3 and not axial else WINDOW,) * (z.ndim - 2)
        size += (WINDOW, WINDOW)
        local = ndimage.uniform_filter(np.asarray(y - z, np.float32), size)
        for kind, sign in zip(KINDS, (1, -1), strict=True):
            for place, error in peaks(sign * local, size):
                marked, crops = _crops((x, y, z), place, axial=axial)
                which = channel if len(restored) > 1 else None
                spot = Spot(kind, name, which, place, error, marked, crops)
                found[kind].append(spot)
    return {kind: strongest(part) for kind, part in found.items()}


def peaks(
    error: NDArray[np.floating[Any]], size: Sequence[int], count: int = COUNT
) -> list[tuple[tuple[int, ...], float]]:
    """Find the highest places of a map, above 0, no two closer than two windows."""
    left = error.copy()
    found = []
    for _ in range(count):
        place = tuple(int(i) for i in np.unravel_index(int(left.argmax()), left.shape))
        value = float(left[place])
        if value <= 0:
            break
        found.append((place, value))
        near = (
            slice(max(0, p - 2 * s), p + 2 * s + 1)
            for p, s in zip(place, size, strict=True)
        )
        left[tuple(near)] = 0
    return found


def strongest(spots: Sequence[Spot], count: int = COUNT) -> list[Spot]:
    """Keep the strongest, the strongest first."""
    return sorted(spots, key=lambda spot: -spot.error)[:count]


def _crops(
    images: Sequence[NDArray[Any]], place: tuple[int, ...], *, axial: bool
) -> tuple[tuple[int, int], Any]:
    """Cut the plane of a place, or its axial section, out of images ([Z,] Y, X)."""
    if len(place) == 3:
        z, y, x = place
        cut: tuple[Any, ...] = (slice(None), y) if axial else (z,)
        images = [image[cut] for image in images]
        place = (z, x) if axial else (y, x)
    rows, columns = around(place, images[0].shape, CROP)
    marked = (place[0] - rows.start, place[1] - columns.start)
    crops = tuple(np.array(i[rows, columns], np.float32) for i in images)
    return marked, crops


def row(spot: Spot, number: int) -> Row:
    """Show an error: input, restored and truth, the window framed."""
    axes = "ZYX"[-len(spot.place) :]
    place = ", ".join(f"{a} {p}" for a, p in zip(axes, spot.place, strict=True))
    title = f"{spot.image}, {place}"
    if spot.channel is not None:
        title += f", channel {spot.channel}"
    shown = tuple(
        Tile(
            name,
            tiles.framed(tiles.grey(crop), spot.marked, (WINDOW, WINDOW)),
            name == NETWORK,
        )
        for name, crop in zip((INPUT, NETWORK, TRUTH), spot.crops, strict=True)
    )
    name = tiles.named(spot.kind, number)
    return Row(name, f"{title}: mean error {spot.error:.2f}", shown)
