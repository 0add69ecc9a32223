"""Overlap: how many pixels each true object shares with each segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from care_runtime.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLAB = 1 << 22
"""Pixels that are counted at once."""

HIGHEST = 1 << 22
"""Labels up to here are counted as they are, higher ones are numbered anew."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Pairs of a true object and a segment that share pixels, and all sizes.

    Parameters
    ----------
    truth, labels
        Sizes of the true objects (T) and of the segments (L) in pixels, background
        excluded, 0 for a number that no pixel bears.
    row, column
        Object and segment of each pair, as places in `truth` and `labels`.
    shared
        Pixels of each pair, at least 1.
    """

    truth: NDArray[np.int64]
    labels: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    shared: NDArray[np.int64]

    @property
    def union(self) -> NDArray[np.int64]:
        """Pixels of each pair that belong to either."""
        return self.truth[self.row] + self.labels[self.column] - self.shared

    @property
    def objects(self) -> int:
        """Number of true objects."""
        return int(np.count_nonzero(self.truth))

    @property
    def segments(self) -> int:
        """Number of segments."""
        return int(np.count_nonzero(self.labels))


def overlap(labels: NDArray[Any], truth: NDArray[Any]) -> Overlap:
    """Count the pixels that objects and segments share.

    The table is sparse, and volumes are counted slab by slab: time and memory grow
    with the pixels and the pairs that touch, never with objects times segments.

    Parameters
    ----------
    labels, truth
        Segmentation and ground truth of one shape, of any number of dimensions: whole
        numbers, 0 for background. Numbers may be missing.

    Raises
    ------
    ImageError
        If the shapes differ, or these are no labels.
    """
    if labels.shape != truth.shape:
        msg = (
            f"expected labels of the shape of the ground truth, {truth.shape}, found "
            f"{labels.shape}: segment the same field at the same size"
        )
        raise ImageError(msg)
    l_flat, t_flat = _numbered(labels, "labels"), _numbered(truth, "truth")
    shape = (int(t_flat.max(initial=0)) + 1, int(l_flat.max(initial=0)) + 1)
    table = sparse.csr_array(shape, dtype=np.int64)
    for start in range(0, t_flat.size, SLAB):
        place = (t_flat[start : start + SLAB], l_flat[start : start + SLAB])
        ones = np.ones(len(place[0]), np.int64)
        table += sparse.coo_array((ones, place), shape).tocsr()
    objects, segments = (np.asarray(table.sum(axis=a)).ravel()[1:] for a in (1, 0))
    inner = table[1:, 1:].tocoo()
    row, column = (x.astype(np.int64) for x in (inner.row, inner.col))
    return Overlap(objects, segments, row, column, inner.data)


def _numbered(labels: NDArray[Any], name: str) -> NDArray[Any]:
    """Return labels as a line of small whole numbers, the background staying 0."""
    if labels.dtype.kind not in "uib" or (labels.size and labels.min() < 0):
        found = labels.dtype if labels.dtype.kind not in "uib" else "negative ones"
        msg = (
            f"expected {name} as whole numbers with 0 for background, found {found}: "
            "label the connected components first"
        )
        raise ImageError(msg)
    flat = labels.reshape(-1)
    if flat.max(initial=0) > HIGHEST:
        ids, flat = np.unique(flat, return_inverse=True)
        flat = flat + int(ids[0] != 0)
    return flat.astype(np.int32, copy=False)
