"""Seen: what is measured on restored images, and samples to look at."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from skimage.morphology import h_minima
from skimage.segmentation import watershed

from care_runtime.score import score
from care_training.measure import NOISE_FREE, Measure
from care_training.metrics import ring_correlation, seg, threshold_segmentation
from care_training.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from care_training.pairs import Pair

SEED = 2018
"""Of samples; training draws with the seed 0, and tests with a second number."""

DEEP = 0.05
"""How much darker than the membranes around it a cell is, as a share of the range."""


def sample_of(
    draw: Callable[[np.random.Generator, str], Pair], condition: str = ""
) -> Callable[[], Sample]:
    """Make the function that draws an experiment's sample."""
    return partial(_sample, draw, condition)


def _sample(draw: Callable[[np.random.Generator, str], Pair], condition: str) -> Sample:
    pair = draw(np.random.default_rng(SEED), condition)
    return Sample(pair.low, pair.high)


def objects(*, sigma: Sequence[float], smallest: int) -> Measure:
    """Score a segmentation by threshold, as the paper does (Fig. 1e): its SEG.

    Parameters
    ----------
    sigma
        Standard deviations, in pixels, by which any image is smoothed before.
    smallest
        Pixels that an object has at least.
    """

    def of(image: NDArray[Any], pair: Pair) -> float:
        assert pair.labels is not None
        smooth = ndimage.gaussian_filter(image[0].astype(np.float32), sigma)
        found = threshold_segmentation(smooth, smallest=smallest)
        return seg(found, pair.labels)

    return Measure("SEG", of)


def noise_free() -> Measure:
    """Score an image against the truth without noise: its PSNR in dB.

    A target that is one exposure sets a limit to what can be scored against it. The
    brightness that was exposed, which only a simulation knows, sets none.
    """

    def of(image: NDArray[Any], pair: Pair) -> float:
        assert pair.clean is not None
        both = zip(image, pair.clean, strict=True)
        return float(np.mean([score(x, y).psnr for x, y in both]))

    return Measure(NOISE_FREE, of)


def cells(*, sigma: float = 1.5) -> Measure:
    """Score a segmentation of cells by their membranes (Fig. 2): its SEG.

    Parameters
    ----------
    sigma
        Standard deviation, in pixels, by which any image is smoothed before its
        watershed.
    """

    def of(image: NDArray[Any], pair: Pair) -> float:
        assert pair.labels is not None
        return seg(cell_labels(image[0], sigma=sigma), pair.labels)

    return Measure("SEG", of)


def cell_labels(plane: NDArray[Any], *, sigma: float = 1.5) -> NDArray[np.int32]:
    """Segment the cells of a plane (Y, X) by their membranes, as `cells` does."""
    smooth = ndimage.gaussian_filter(plane.astype(np.float64), sigma)
    depth = DEEP * float(np.ptp(np.percentile(smooth, (1, 99))))
    basins, _ = ndimage.label(h_minima(smooth, depth))
    found: NDArray[np.int32] = watershed(smooth, basins)
    return found


def resolution(pixel: float) -> Measure:
    """Measure up to which size an image shows what the truth does, in um.

    It is the resolution of their Fourier ring correlation, at 1/7.

    Parameters
    ----------
    pixel
        Size of a pixel in um.
    """

    def of(image: NDArray[Any], pair: Pair) -> float:
        found = ring_correlation(image[0], pair.high[0], pixel=pixel)
        return float(found.resolution)

    return Measure("FRC um", of, higher=False)
