"""Spacing: where the planes of a high stack lie among those of the low one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import make_interp_spline

from care_runtime.resample import Samples, gather, samples
from care_training.evaluate import comparable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from care_training.pairs import Pair


def registered(pairs: Sequence[Pair], factor: float) -> tuple[list[Pair], bool]:
    """Bring the planes of targets to where the low images are stretched to.

    The runtime stretches a stack from its first plane to its last, as CSBDeep does. A
    microscope that leaves planes out keeps each N-th, so that plane k of the low stack
    is plane N k of the high one, and the last N - 1 planes lie beyond: 3 planes off at
    the far end for N = 4. Which of the two is the case is told by the images.

    Parameters
    ----------
    pairs
        Of low (C, Z, Y, X) and high stacks, with `factor` times as many planes.
    factor
        N.

    Returns
    -------
    pairs, moved
        The pairs; where `moved`, their high planes are interpolated (cubic splines
        along Z), and the last N - 1 have gone.
    """
    agreed = [_agreement(pair, factor) for pair in pairs]
    stretched, spaced = (sum(found) for found in zip(*agreed, strict=True))
    if spaced <= stretched:
        return list(pairs), False
    return [_moved(pair, factor) for pair in pairs], True


def _agreement(pair: Pair, factor: float) -> tuple[float, float]:
    """Correlate a high stack with the low one, stretched and with planes N apart."""
    planes, whole = pair.low.shape[1], pair.high.shape[1]
    both = min(whole, int((planes - 1) * factor) + 1)
    places = np.arange(both) / factor
    below = np.minimum(places.astype(np.intp), max(planes - 2, 0))
    apart = Samples(below, np.minimum(below + 1, planes - 1), places - below)
    lines = [apart, *(samples(n) for n in pair.low.shape[2:])]
    high = pair.high[:1, :both]
    found = comparable(pair)[:1, :both], gather(pair.low[:1], lines)
    first, second = (_correlation(image, high) for image in found)
    return first, second


def _correlation(image: NDArray[Any], other: NDArray[Any]) -> float:
    a, b = (x.astype(np.float64) - x.mean(dtype=np.float64) for x in (image, other))
    length = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / length if length else 0.0


def _moved(pair: Pair, factor: float) -> Pair:
    planes, whole = pair.low.shape[1], pair.high.shape[1]
    places = np.linspace(0, min((planes - 1) * factor, whole - 1), whole)
    spline = make_interp_spline(
        np.arange(whole), pair.high, k=min(3, whole - 1), axis=1
    )
    return replace(pair, high=np.asarray(spline(places), np.float32))
