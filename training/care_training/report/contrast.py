"""Contrast: images of several methods, brought to the grey values of their truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.percentiles import percentiles
from care_runtime.score import TRUTH_PERCENTILES, affine_fit
from care_training.pairs import linear_fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 0.02
"""Smallest part of its own contrast that an input is taken to share with the truth."""


def reference(truth: NDArray[Any]) -> NDArray[np.float64]:
    """Normalize a truth (C, [Z,] Y, X) channel by channel, as scores do."""
    channels = []
    for channel in truth:
        low, high = percentiles(channel, TRUTH_PERCENTILES)
        channels.append((channel - low) / (high - low + 1e-20))
    return np.stack(channels)


def fitted(image: NDArray[Any], truth: NDArray[np.float64]) -> NDArray[np.float32]:
    """Scale an image to the normalized truth by least squares, as scores do.

    Parameters
    ----------
    image
        Shape (C, [Z,] Y, X); it may have more channels than the truth.
    truth
        Shape (C, [Z,] Y, X), normalized.
    """
    pairs = zip(image, truth, strict=False)
    return np.stack([affine_fit(x, y).astype(np.float32) for x, y in pairs])


def shown(image: NDArray[Any], truth: NDArray[np.float64]) -> NDArray[np.float32]:
    """Scale a noisy image such that its signal has the contrast of the truth.

    The fit of scores would flatten it: the more noise, the less contrast. Here the
    truth is fitted to the image, which noise does not bias.
    """
    channels = []
    for x, y in zip(image, truth, strict=False):
        slope, offset = linear_fit(x, y)
        # Without any likeness the image has a contrast of its own.
        slope = max(slope, LEAST * float(np.std(x) / max(float(np.std(y)), 1e-20)))
        scaled = (x.astype(np.float64) - offset) / max(slope, 1e-20)
        channels.append(scaled.astype(np.float32))
    return np.stack(channels)
