"""Tracking: how many cells are found and followed from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import ImageError
from care_training.metrics.overlap import overlap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Link = tuple[int, int, int]
    """Frame, label in it, and label in the next frame."""

SPLIT, MISSED, EXTRA = 5.0, 10.0, 1.0
"""Cost of a segment to be split, of one to be added, and of one to be taken away."""

ADDED, DELETED = 1.5, 1.0
"""Cost of a link to be added, and of one to be taken away."""


@dataclass(frozen=True, slots=True)
class Tracking:
    """How well found links fit the true ones.

    Parameters
    ----------
    true
        Links of cells that are in two frames that follow each other.
    found
        Links that the tracker made.
    correct
        Those of `found` that join two segments of the same cell.
    tra
        TRA of the Cell Tracking Challenge, 0 to 1.
    """

    true: int
    found: int
    correct: int
    tra: float

    @property
    def recall(self) -> float:
        """Fraction of the true links that were found."""
        return self.correct / self.true

    @property
    def precision(self) -> float:
        """Fraction of the found links that are correct; 0 if there is none."""
        return self.correct / self.found if self.found else 0.0


def tracking(
    labels: Sequence[NDArray[Any]],
    truth: Sequence[NDArray[Any]],
    links: Iterable[Link],
) -> Tracking:
    """Compare segments that were linked with cells whose tracks are known.

    A cell is found by the segment that covers more than half of it, as for SEG. A link
    is correct if it joins segments of one cell in two frames, and each of these finds
    no other cell. TRA is 1 minus the least cost of turning the found graph into the
    true one, relative to that of making the latter from nothing (Matula et al., PLoS
    ONE 10, 2015, with the weights of the Cell Tracking Challenge). No cell divides
    here, so the cost of wrong kinds of links is not needed.

    Parameters
    ----------
    labels
        Segments of every frame, whole numbers with 0 for background.
    truth
        The same of the cells; a cell has the same number in all frames.
    links
        Pairs of segments of frames that follow each other, each once.

    Raises
    ------
    ImageError
        If there are not as many frames of both, or there is no true link.
    """
    if len(labels) != len(truth):
        msg = (
            f"expected as many frames as the truth has, {len(truth)}, not {len(labels)}"
        )
        raise ImageError(msg)
    found = list(dict.fromkeys(links))
    cells = [set(np.unique(frame).tolist()) - {0} for frame in truth]
    edges = {(t, c) for t, (a, b) in enumerate(pairwise(cells)) for c in a & b}
    if not edges:
        msg = "expected a cell that is in two frames that follow each other, found none"
        raise ImageError(msg)
    owners, cost = [], 0.0
    for mine, theirs in zip(labels, truth, strict=True):
        owner, wrong = _owners(mine, theirs)
        owners.append(owner)
        cost += wrong
    correct = {
        (t, owners[t][a])
        for t, a, b in found
        if a in owners[t] and owners[t][a] == owners[t + 1].get(b)
    }
    kept = sum(a in owners[t] and b in owners[t + 1] for t, a, b in found)
    cost += DELETED * (kept - len(correct)) + ADDED * (len(edges) - len(correct))
    worst = MISSED * sum(map(len, cells)) + ADDED * len(edges)
    return Tracking(len(edges), len(found), len(correct), 1 - min(cost, worst) / worst)


def _owners(labels: NDArray[Any], truth: NDArray[Any]) -> tuple[dict[int, int], float]:
    """Find the cell of every segment that has one alone, and what the rest costs."""
    shared = overlap(labels, truth)
    covers = 2 * shared.shared > shared.truth[shared.row]
    owned: dict[int, list[int]] = {}
    for cell, segment in zip(shared.row[covers], shared.column[covers], strict=True):
        owned.setdefault(int(segment) + 1, []).append(int(cell) + 1)
    hits = sum(map(len, owned.values()))
    cost = SPLIT * (hits - len(owned)) + MISSED * (shared.objects - hits)
    cost += EXTRA * (shared.segments - len(owned))
    return {s: cells[0] for s, cells in owned.items() if len(cells) == 1}, cost
