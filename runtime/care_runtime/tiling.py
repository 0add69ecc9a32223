"""Tiling: how an image is cut so that tiled equals whole. Integers only."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

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
    size: int,
    *,
    multiple: int = 1,
    halo: int = 0,
    tile: int | None = None,
    least: int = 0,
    exact: int | None = None,
) -> Line:
    """Cut one axis.

    Tiles start on the pooling grid, read a halo on each side and are shifted inwards at
    the borders, so that all have the same size and none sees padding that the whole
    image would not have. There, they need no halo and keep more: that many pixels fewer
    are computed twice.

    Parameters
    ----------
    size
        Pixels of the image.
    multiple
        Grid of the network: 2 to the number of its poolings.
    halo
        Context that a kept pixel needs on each side.
    tile
        Kept size between two others, rounded up to the grid; None keeps the axis whole.
    least, exact
        Pixels that the network takes at least, or the only number that it takes.
    """
    if exact is not None:
        return _exact(size, multiple, halo, exact)
    halo, padded = _ceil(halo, multiple), _ceil(max(size, least), multiple)
    before = (padded - size) // 2
    kept = padded if tile is None else min(padded, _ceil(max(tile, 1), multiple))
    if max(kept + 2 * halo, least) >= padded:  # one tile reads as much as several would
        kept = padded
    count = 1 if kept == padded else -(-(padded - 2 * halo) // kept)
    read = _ceil(-(-(padded + 2 * halo * (count - 1)) // count), multiple)
    read = min(padded, max(read, _ceil(least, multiple)))
    cuts, first, start = [], 0, 0
    while start < padded:
        first = min(first, padded - read)
        stop = padded if first + read == padded else first + read - halo
        a, b = max(start, before), min(stop, before + size)
        if a < b:
            cuts.append(
                Cut(
                    slice(first, first + read),
                    slice(a - first, b - first),
                    slice(a - before, b - before),
                )
            )
        first, start = first + read - 2 * halo, stop
    return Line(size, before, padded, tuple(cuts))


def grown(
    sizes: Mapping[str, int],
    multiple: Mapping[str, int],
    halo: Mapping[str, int],
    kept: Mapping[str, int],
    growth: float,
) -> dict[str, int]:
    """Enlarge tiles where that leaves less to be computed twice.

    Of all numbers of tiles along the axes, those are taken whose tiles read the fewest
    pixels together.

    Parameters
    ----------
    sizes
        Pixels of the image by axis.
    multiple, halo
        Grid and context of the network by axis.
    kept
        Kept size of a tile by axis that may be cut.
    growth
        How many times the pixels may be read that a tile of that size reads.

    Returns
    -------
    dict
        Kept size by axis.
    """
    if not kept:
        return {}
    # What is whole counts as if it was cut as other images would be.
    most = growth * math.prod(n + 2 * halo.get(a, 0) for a, n in kept.items())
    *others, last = [
        _ways(sizes[a], multiple.get(a, 1), halo.get(a, 0), n, growth)
        for a, n in kept.items()
    ]
    best, least = [ways[0] for ways in (*others, last)], math.inf
    for chosen in product(*others):
        room = most / math.prod(way.read for way in chosen)
        fits = bisect_right(last, room, key=lambda way: way.read)
        if fits:
            found = [*chosen, last[fits - 1]]
            work = math.prod(way.work for way in found)
            if work < least:
                best, least = found, work
    return {axis: way.kept for axis, way in zip(kept, best, strict=True)}


class _Way(NamedTuple):
    """A way to cut an axis: pixels a tile reads and keeps, and all that are read."""

    read: int
    kept: int
    work: int


def _ways(size: int, multiple: int, halo: int, kept: int, growth: float) -> list[_Way]:
    """List ways to cut an axis; every longer tile has less work than all before."""
    halo, padded = _ceil(halo, multiple), _ceil(size, multiple)
    room = padded - 2 * halo
    kept = _ceil(kept, multiple)
    if kept >= room:
        return [_Way(padded, padded, padded)]
    ways: list[_Way] = []
    count = -(-room // kept)
    longest = growth * (kept + 2 * halo)
    for tiles in range(count, 0, -1):
        keeps = _ceil(-(-room // tiles), multiple)
        read = padded if tiles == 1 else keeps + 2 * halo
        if ways and read > longest:
            break
        work = read * -(-room // keeps)
        if not ways or work < ways[-1].work:
            ways.append(_Way(read, padded if tiles == 1 else keeps, work))
    return ways


def _exact(size: int, multiple: int, halo: int, exact: int) -> Line:
    """Cut an axis for a network that takes one size."""
    padded = exact + _ceil(max(0, size - exact), multiple)
    before = (padded - size) // 2
    fits = exact - 2 * halo >= multiple
    cuts, done = [], 0  # pixels of the padded axis that are written
    while done < padded:
        first = min(max(0, done - halo), padded - exact)
        if fits:
            first = first // multiple * multiple
        end = padded if first + exact >= padded else first + exact - halo
        a, b = max(done, before), min(end, before + size)
        if a < b:
            cuts.append(
                Cut(
                    slice(first, first + exact),
                    slice(a - first, b - first),
                    slice(a - before, b - before),
                )
            )
        done = end
    return Line(size, before, padded, tuple(cuts))


def _ceil(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _length(part: slice) -> int:
    return int(part.stop - part.start)
