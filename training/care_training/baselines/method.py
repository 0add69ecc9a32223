"""Method: a classical baseline, and the strength that suits it best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import TrainingError
from care_runtime.normalize import Affine
from care_runtime.percentiles import percentiles
from care_runtime.score import Scores, score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

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
    function
        Takes a normalized image ([Z,] Y, X) and a strength; gives an image of the
        shape of the truth: (Y, X) where the method projects.
    strengths
        In the method's own unit, of which its module tells.
    citation
        Where the method comes from.
    raw
        Whether it takes the image as it was recorded: a stack that it projects, or one
        of few planes that it stretches. Others get it as large as the truth.
    path
        Restores a normalized image with every strength in turn, where that costs less
        than one after the other: iterations go on from one number to the next.
    """

    name: str
    function: Callable[[NDArray[np.float32], float], NDArray[Any]]
    strengths: tuple[float, ...]
    citation: str = ""
    raw: bool = False
    path: Callable[[NDArray[np.float32]], Iterable[NDArray[Any]]] | None = None

    def each(self, image: NDArray[np.float32]) -> Iterator[NDArray[Any]]:
        """Restore a normalized image with every strength, in their order."""
        if self.path is not None:
            return iter(self.path(image))
        return (self.function(image, strength) for strength in self.strengths)


@dataclass(frozen=True, slots=True)
class BaselineScore:
    """A method at one strength.

    Parameters
    ----------
    name, strength
        The method and its strength.
    scores
        Means over the images.
    """

    name: str
    strength: float
    scores: Scores


def curve(baseline: Baseline, pairs: Sequence[Pair]) -> tuple[BaselineScore, ...]:
    """Score a method at each of its strengths, as means over image pairs.

    Parameters
    ----------
    baseline
        The method.
    pairs
        Images of shape (C, [Z,] Y, X); the channels that both have are scored.

    Raises
    ------
    TrainingError
        If there are no images.
    """
    rows = [
        [score(image, high) for image in baseline.each(normalized(low))]
        for low, high in _channels(baseline, pairs)
    ]
    return tuple(
        BaselineScore(baseline.name, strength, Scores.mean(found))
        for strength, *found in zip(baseline.strengths, *rows, strict=True)
    )


def tune(baseline: Baseline, pairs: Sequence[Pair]) -> float:
    """Choose the strength with the highest mean PSNR.

    Parameters
    ----------
    baseline
        The method.
    pairs
        Validation images, (C, [Z,] Y, X), and none of those that are reported: the
        network was not chosen on these either. Then `measure` on the test images.

    Raises
    ------
    TrainingError
        If there are no images to tune on.
    """
    return best(baseline, pairs).strength


def measure(
    baseline: Baseline, strength: float, pairs: Sequence[Pair]
) -> BaselineScore:
    """Score a method at one strength, as the mean over image pairs.

    Parameters
    ----------
    baseline, strength
        The method and its strength.
    pairs
        Images of shape (C, [Z,] Y, X); the channels that both have are scored.

    Raises
    ------
    TrainingError
        If there are no images.
    """
    scores = [
        score(baseline.function(normalized(low), strength), high)
        for low, high in _channels(baseline, pairs)
    ]
    return BaselineScore(baseline.name, strength, Scores.mean(scores))


def best(baseline: Baseline, pairs: Sequence[Pair]) -> BaselineScore:
    """Score a method at the strength that is best on the very images scored.

    No method can do better than this on these images, so it is in favour of the
    baseline; `tune` and `measure` keep the two sets of images apart.

    Parameters
    ----------
    baseline
        The method.
    pairs
        Images of shape (C, [Z,] Y, X).
    """
    return max(curve(baseline, pairs), key=lambda entry: entry.scores.psnr)


def restored(
    baseline: Baseline, strength: float, image: NDArray[Any]
) -> NDArray[np.float32]:
    """Restore an image (C, [Z,] Y, X) channel by channel, normalized."""
    return np.stack(
        [
            np.asarray(baseline.function(normalized(channel), strength), np.float32)
            for channel in image
        ]
    )


def apply(
    baseline: Baseline, channel: NDArray[Any], strength: float
) -> NDArray[np.float32]:
    """Restore one channel ([Z,] Y, X), in the grey values that it has.

    Returns
    -------
    numpy.ndarray
        Of the shape that the method makes: (Y, X) where it projects.
    """
    affine = Affine.between(*percentiles(channel, PERCENTILES))
    restored = np.asarray(baseline.function(affine(channel), strength), np.float32)
    # The map has the axes of the channel, of which a projection lacks one.
    return np.asarray(affine.invert(restored), np.float32).reshape(restored.shape)


def normalized(channel: NDArray[Any]) -> NDArray[np.float32]:
    """Normalize one channel ([Z,] Y, X) between its percentiles 2 and 99.8."""
    return Affine.between(*percentiles(channel, PERCENTILES))(channel)


def _channels(
    baseline: Baseline, pairs: Sequence[Pair]
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """List the channels that both images of a pair have."""
    if not pairs:
        msg = (
            f"expected images to score {baseline.name} on, found none: give at least "
            "one pair"
        )
        raise TrainingError(msg)
    return [both for p in pairs for both in zip(p.low, p.high, strict=False)]
