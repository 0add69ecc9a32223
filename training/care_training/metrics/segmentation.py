"""Segmentation: how well objects found in an image fit the true ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from care_runtime.errors import ImageError, OptionError
from care_training.metrics.overlap import Overlap, overlap

if TYPE_CHECKING:
    from numpy.typing import NDArray

IOU = 0.5
"""Intersection over union from which on two nuclei match (Methods, Drosophila)."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Numbers of true objects and segments that match one to one.

    Parameters
    ----------
    true_positives
        Matched pairs.
    false_positives
        Segments without an object.
    false_negatives
        Objects without a segment.
    """

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """Fraction of the segments that are matched; 0 if there is none."""
        segments = self.true_positives + self.false_positives
        return self.true_positives / segments if segments else 0.0

    @property
    def recall(self) -> float:
        """Fraction of the true objects that are matched."""
        return self.true_positives / (self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        wrong = self.false_positives + self.false_negatives
        return 2 * self.true_positives / (2 * self.true_positives + wrong)

    @property
    def unmatched(self) -> float:
        """Fraction of the true objects without a segment, as in the paper (Fig. 3)."""
        return 1 - self.recall


def seg(labels: NDArray[Any], truth: NDArray[Any]) -> float:
    """Score a segmentation as the Cell Tracking Challenge does (SEG).

    A true object R is found by the segment S that covers more than half of it; at most
    one does. Its score is their Jaccard index, intersection over union, or 0 where no
    segment covers that much. SEG is the mean over all true objects, between 0 and 1;
    segments where nothing is do not count (Maška et al. 2014, Bioinformatics 30, 1609;
    here Methods, "Tribolium").

    Parameters
    ----------
    labels, truth
        Whole numbers of one shape, (Y, X) or (Z, Y, X), 0 for background.

    Raises
    ------
    ImageError
        If the shapes differ, these are no labels, or the truth shows no object.
    """
    found = _with_objects(overlap(labels, truth))
    covers = 2 * found.shared > found.truth[found.row]
    jaccard = found.shared[covers] / found.union[covers]
    return float(jaccard.sum() / found.objects)


def matching(labels: NDArray[Any], truth: NDArray[Any], iou: float = IOU) -> Matching:
    """Match true objects and segments one to one, as many as possible.

    A pair may match if its intersection over union is at least `iou`; of all such
    pairs, a largest bipartite matching is taken (Methods, "Drosophila isotropic
    restoration and segmentation"). Above 0.5 no object has more than one candidate.

    Parameters
    ----------
    labels, truth
        Whole numbers of one shape, (Y, X) or (Z, Y, X), 0 for background.
    iou
        Smallest intersection over union of a match, above 0 and up to 1.

    Raises
    ------
    ImageError
        If the shapes differ, these are no labels, or the truth shows no object.
    OptionError
        If `iou` is out of range.
    """
    if not 0 < iou <= 1:
        msg = f"expected an intersection over union in (0, 1], found {iou}: give 0.5"
        raise OptionError(msg)
    found = _with_objects(overlap(labels, truth))
    fits = found.shared >= iou * found.union
    place = (found.row[fits], found.column[fits])
    shape = (len(found.truth), max(len(found.labels), 1))
    graph = sparse.coo_array((np.ones(len(place[0]), bool), place), shape).tocsr()
    partner = maximum_bipartite_matching(graph, perm_type="column")
    hits = int(np.count_nonzero(partner >= 0))
    return Matching(hits, found.segments - hits, found.objects - hits)


def _with_objects(found: Overlap) -> Overlap:
    if not found.objects:
        msg = (
            "expected at least one object in the ground truth, found background alone: "
            "a fraction of no objects means nothing, so leave this image out"
        )
        raise ImageError(msg)
    return found
