"""Tiling: how an image is cut so that tiled equals whole. Integers only."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Cut:
    """One tile along one axis.

    ::

        padded axis  |--------[=======#########=======]------|
                              ^ read  ^ kept   ^      ^

    Parameters
    ----------
    read
        What the network gets, on the padded axis.
    keep
        The part of its result that is exact, within the tile.
    write
        Where that part belongs on the axis without padding.
    """

    read: slice
    keep: slice
    write: slice


@dataclass(frozen=True, slots=True)
class Line:
    """The tiles along one axis.

    Parameters
    ----------
    size
        Pixels of the image.
    before, padded
        Pixels of padding in front, and pixels with all padding.
    cuts
        Tiles in order, all of one size.
    """

    size: int
    before: int
    padded: int
    cuts: tuple[Cut, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The tiles of a frame, as the product of the tiles of its axes.

    Parameters
    ----------
    lines
        By upper-case axis, in the order of the frame.
    """

    lines: Mapping[str, Line]

    def __len__(self) -> int:
        """Count the tiles."""
        count = 1
        for line in self.lines.values():
            count *= len(line.cuts)
        return count

    def __iter__(self) -> Iterator[dict[str, Cut]]:
        """Go through the tiles, the last axis fastest."""
        for cuts in product(*(line.cuts for line in self.lines.values())):
            yield dict(zip(self.lines, cuts, strict=True))

    @property
    def tile(self) -> dict[str, int]:
        """Size of what the network gets, by axis."""
        return {a: _length(line.cuts[0].read) for a, line in self.lines.items()}


def line(
    size: int, *, multiple: int = 1, halo: int = 0, tile: int | None = None
) -> Line:
    """Cut one axis.

    Tiles start on the pooling grid, read a halo on each side and are shifted inwards at
    the borders, so that all have the same size and none sees padding that the whole
    image would not have.

    Parameters
    ----------
    size
        Pixels of the image.
    multiple
        Grid of the network: 2 to the number of its poolings.
    halo
        Context that a kept pixel needs on each side.
    tile
        Kept size, rounded up to the grid; None keeps the axis whole.
    """
    halo, padded = _ceil(halo, multiple), _ceil(size, multiple)
    before = (padded - size) // 2
    kept = padded if tile is None else min(padded, _ceil(max(tile, 1), multiple))
    if kept + 2 * halo >= padded:  # one tile reads as much as several would
        kept = padded
    kept = _ceil(-(-padded // -(-padded // kept)), multiple)  # equal tiles
    read = min(padded, kept + 2 * halo)
    cuts = []
    for start in range(0, padded, kept):
        first = max(0, min(start - halo, padded - read))
        a, b = max(start, before), min(start + kept, before + size)
        if a < b:
            cuts.append(
                Cut(
                    slice(first, first + read),
                    slice(a - first, b - first),
                    slice(a - before, b - before),
                )
            )
    return Line(size, before, padded, tuple(cuts))


def _ceil(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _length(part: slice) -> int:
    return int(part.stop - part.start)
