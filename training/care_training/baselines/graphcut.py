"""Graph cut: the surface of least cost among all that are not too steep.

Optimal surface detection (Wu & Chen, ICALP 2002; Li et al., IEEE Trans. Pattern Anal.
Mach. Intell. 28, 2006). The surface is a function z(y, x), its cost the sum over its
pixels, and neighbours differ by at most `smooth` planes: this is the problem of a
closed set of least weight, which a maximum flow solves exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from care_runtime.errors import OptionError
from care_training.baselines.focus import brightness, detail
from care_training.baselines.surface import along, projecting, spread, volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from care_training.baselines.surface import Surface

GRID, SLOPE = 4, 0.25
"""Pixels across a square that has one height, and planes a pixel that it may climb."""

TINY = 1e-9

ENDLESS = 2**30
"""Capacity of an edge that is never cut."""


def graph_cut(
    stack: NDArray[Any],
    thickness: float = 1.0,
    *,
    slope: float = SLOPE,
    grid: int = GRID,
) -> Surface:
    """Project a stack along the brightest surface that is nowhere steeper than `slope`.

    Parameters
    ----------
    stack
        Shape (Z, Y, X).
    thickness
        Standard deviation, in planes, of the average around the surface.
    slope
        Planes a pixel.
    grid
        The surface is sought on squares of `grid` x `grid` pixels, exactly, and
        interpolated between them.

    Raises
    ------
    ImageError
        If it is no stack.
    OptionError
        If `slope` times `grid` is less than one plane.
    """
    return along(stack, graph_cut_height(stack, slope=slope, grid=grid), thickness)


def graph_cut_height(
    stack: NDArray[Any], *, slope: float = SLOPE, grid: int = GRID
) -> NDArray[np.float32]:
    """Find the surface of `graph_cut`: (Y, X), in planes from the first."""
    volume(stack)
    if slope * grid + TINY < 1:
        msg = (
            f"expected a slope of at least 1 / {grid} planes a pixel, since heights "
            f"are whole planes {grid} pixels apart, found {slope:g}: give a greater "
            "slope or grid"
        )
        raise OptionError(msg)
    height = least_surface(-_sight(stack, grid), int(slope * grid + TINY))
    return spread(height, grid, stack.shape[1:])


def least_surface(cost: NDArray[Any], smooth: int) -> NDArray[np.intp]:
    """Find the surface of the least cost.

    Parameters
    ----------
    cost
        Shape (Z, Y, X), finite; counted in whole steps of a fine scale.
    smooth
        Planes by which neighbours along Y or X may differ, 0 or more.

    Returns
    -------
    numpy.ndarray
        Heights (Y, X), in planes.
    """
    weight = _weights(cost)
    count = weight.size
    below, above = np.flatnonzero(weight < 0), np.flatnonzero(weight > 0)
    start, end = _edges(cost.shape, smooth)
    rows = np.concatenate([start, np.full(below.size, count), above])
    columns = np.concatenate([end, below, np.full(above.size, count + 1)])
    kept = np.full(start.size, ENDLESS)
    capacity = np.concatenate([kept, -weight[below], weight[above]]).astype(np.int32)
    size = (count + 2, count + 2)
    graph = sparse.csr_array((capacity, (rows, columns)), shape=size, dtype=np.int32)
    flow = csgraph.maximum_flow(graph, count, count + 1, method="dinic").flow
    left = graph - flow
    left.data = np.where(left.data > 0, 1, 0).astype(np.int32)
    left.eliminate_zeros()
    reached = csgraph.breadth_first_order(left, count, return_predecessors=False)
    inside = np.zeros(count + 2, bool)
    inside[reached] = True
    return np.asarray(inside[:count].reshape(cost.shape).sum(axis=0) - 1)


def _weights(cost: NDArray[Any]) -> NDArray[np.int64]:
    """Turn costs into weights, whose sum up to a height is the cost there.

    The first plane is so light that any surface is better than none.
    """
    cost = cost - float(cost.min())
    top = float(cost.max()) or 1.0
    moves = np.abs(np.diff(cost, axis=0)).sum() + 2 * top * cost[0].size
    scale = min(2**14 / top, ENDLESS / moves)
    steps = np.rint(cost * scale).astype(np.int64)
    weight: NDArray[np.int64] = np.diff(steps, axis=0, prepend=0)
    weight[0] -= steps.max() + 1
    return weight.ravel()


def _edges(
    shape: tuple[int, ...], smooth: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Lead from every voxel to those that lie inside if it does."""
    nodes = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    smooth = min(smooth, shape[0] - 1)
    pairs = [(nodes[1:], nodes[:-1])]
    for layer in (nodes.swapaxes(1, 2), nodes):
        for one, other in (
            (layer[:, :-1], layer[:, 1:]),
            (layer[:, 1:], layer[:, :-1]),
        ):
            pairs.append((one[smooth:], other[: shape[0] - smooth]))
            if smooth:
                pairs.append((one[0], other[0]))
    start, end = (np.concatenate([pair[i].ravel() for pair in pairs]) for i in (0, 1))
    return start, end


def _sight(stack: NDArray[Any], grid: int) -> NDArray[np.float32]:
    """Add the two cues, each in units of its own deviation."""
    cues = [cue(stack, grid) for cue in (brightness, detail)]
    seen: NDArray[np.float32] = sum(cue / (cue.std() + TINY) for cue in cues)
    return seen


GRAPH_CUT = projecting(
    "graph cut",
    graph_cut_height,
    "Wu & Chen, ICALP 2002; Li et al., IEEE TPAMI 28, 2006",
)
