"""Baselines: classical denoising, each at the strength that suits it best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scipy import ndimage
from skimage import restoration

from care_runtime.normalize import Affine
from care_runtime.percentiles import percentiles
from care_runtime.score import Scores, score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from care_training.pairs import Pair

PERCENTILES = (2.0, 99.8)
"""Images are normalized between these, so that one strength suits all."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A method and the strengths to try.

    Parameters
    ----------
    name
        For cards.
    denoise
        Takes a normalized image ([Z,] Y, X) and a strength.
    strengths
        In the method's own unit.
    """

    name: str
    denoise: Callable[[NDArray[np.float32], float], NDArray[Any]]
    strengths: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BaselineScore:
    """A method at its best.

    Parameters
    ----------
    name, strength
        The method, and the strength with the highest mean PSNR on the same images
        that are scored: in favour of the baseline.
    scores
        Means over the images.
    """

    name: str
    strength: float
    scores: Scores


def _nlm(image: NDArray[np.float32], h: float) -> NDArray[Any]:
    options = {"patch_size": 5, "patch_distance": 6, "fast_mode": True}
    return restoration.denoise_nl_means(image, h=h, **options)


def _tv(image: NDArray[np.float32], weight: float) -> NDArray[Any]:
    return restoration.denoise_tv_chambolle(image, weight=weight)


GAUSSIAN = Baseline(
    "Gaussian", ndimage.gaussian_filter, (0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
)
NLM = Baseline("NLM", _nlm, (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6))
TV = Baseline("total variation", _tv, (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8))

ALL = (GAUSSIAN, NLM, TV)


def best(baseline: Baseline, pairs: Sequence[Pair]) -> BaselineScore:
    """Find the best strength of a method by the mean PSNR over image pairs.

    Parameters
    ----------
    baseline
        The method.
    pairs
        Images of shape (C, [Z,] Y, X); the channels that both have are scored.
    """
    found = [
        BaselineScore(baseline.name, strength, _scored(baseline, strength, pairs))
        for strength in baseline.strengths
    ]
    return max(found, key=lambda entry: entry.scores.psnr)


def _scored(baseline: Baseline, strength: float, pairs: Sequence[Pair]) -> Scores:
    return Scores.mean(
        [
            score(baseline.denoise(normalized(low), strength), high)
            for pair in pairs
            for low, high in zip(pair.low, pair.high, strict=False)
        ]
    )


def normalized(channel: NDArray[Any]) -> NDArray[np.float32]:
    """Normalize one channel ([Z,] Y, X) between its percentiles 2 and 99.8."""
    return Affine.between(*percentiles(channel, PERCENTILES))(channel)
