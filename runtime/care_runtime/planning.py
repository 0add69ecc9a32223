"""Planning: tiles of a frame that the network and the memory can take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from care_runtime.errors import AxesError
from care_runtime.tiling import Plan, line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from care_runtime.care import Tiling


def planned(
    sizes: Mapping[str, int],
    tiling: Tiling,
    wished: Mapping[str, int],
    least: int,
    shortest: int,
) -> Plan:
    """Cut a frame, into greater tiles than wished where these would be too small.

    Parameters
    ----------
    sizes
        Pixels that reach the network, by axis.
    tiling
        Grid, context and limits of the network.
    wished
        Kept size of a tile by axis that may be cut.
    least, shortest
        Pixels that a tile has at least at the bottom of the network, and along each
        axis that is cut.

    Raises
    ------
    AxesError
        If the image is longer than what the network reads at once.
    """
    kept, fixed = dict(wished), {*tiling.whole, *tiling.exact}
    for axis in set(tiling.whole) & set(tiling.exact):
        if sizes[axis] > tiling.exact[axis]:
            msg = (
                f"the model reads {tiling.exact[axis]} pixels along {axis.upper()} at "
                f"once, but the image has {sizes[axis]}: cut it to that size"
            )
            raise AxesError(msg)
    while True:
        plan = Plan(
            {
                axis.upper(): line(
                    size,
                    multiple=tiling.multiple.get(axis, 1),
                    halo=tiling.halo.get(axis, 0),
                    tile=kept.get(axis),
                    least=tiling.least.get(axis, 0),
                    exact=tiling.exact.get(axis),
                )
                for axis, size in sizes.items()
            }
        )
        bottom = [n // tiling.multiple.get(a.lower(), 1) for a, n in plan.tile.items()]
        cut = [a.lower() for a, tiles in plan.lines.items() if len(tiles.cuts) > 1]
        cut = [axis for axis in cut if axis not in fixed]
        if not cut:
            return plan
        smallest = min(cut, key=lambda axis: plan.tile[axis.upper()])
        if math.prod(bottom) >= least and plan.tile[smallest.upper()] >= shortest:
            return plan
        kept[smallest] = 2 * kept[smallest] + tiling.multiple.get(smallest, 1)


def fitted(
    sizes: Mapping[str, int], tiling: Tiling, kept: Mapping[str, int], room: int
) -> tuple[dict[str, int], dict[int, float]]:
    """Halve the model's own tiles until they fit in; say how often they then would.

    Parameters
    ----------
    sizes
        Pixels that reach the network, by axis.
    tiling
        Grid, context and limits of the network.
    kept
        The model's own kept size by axis that may be cut.
    room
        Pixels that a tile has at most.

    Returns
    -------
    tuple
        Kept sizes, and how many times as many pixels may be read, by number of axes.
    """
    found = dict(kept)
    while True:
        tile = planned(sizes, tiling, found, 0, 1).tile
        long = [a for a, n in found.items() if n > tiling.multiple.get(a, 1)]
        if math.prod(tile.values()) <= room or not long:
            break
        longest = max(long, key=lambda axis: found[axis])
        found[longest] = max(found[longest] // 2, 1)
    others = math.prod(n for a, n in tile.items() if a.lower() not in found)
    read = math.prod(n + 2 * tiling.halo.get(a, 0) for a, n in found.items())
    growth = room / (others * read)
    return found, {len(sizes): growth} if found and growth > 1 else {}
