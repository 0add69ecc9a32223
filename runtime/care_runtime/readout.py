"""Readout: an image made pixel by pixel of what a network says about a tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from care_runtime.counter import uniforms
from care_runtime.laplace import Mixture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Answers = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Given:
    """An output of the network as it is."""

    id: str
    undo: Literal["affine", "scale", "none"]
    numbered: ClassVar[bool] = False

    @property
    def like(self) -> str:
        """Itself."""
        return self.id

    def __call__(self, answers: Answers, index: NDArray[np.uint64]) -> NDArray[Any]:
        """Take it."""
        return answers[self.id]


@dataclass(frozen=True, slots=True)
class Quantile:
    """The grey value below which the truth lies with some probability.

    Parameters
    ----------
    id
        ``"lower"`` or ``"upper"``.
    level
        Probability, 0 to 1.
    """

    id: str
    level: float
    like: ClassVar[str] = "mean"
    undo: ClassVar[Literal["affine"]] = "affine"
    numbered: ClassVar[bool] = False

    def __call__(self, answers: Answers, index: NDArray[np.uint64]) -> NDArray[Any]:
        """Find the quantile of every pixel's distribution."""
        return mixture(answers).quantile(self.level)


@dataclass(frozen=True, slots=True)
class Draw:
    """A random image, of every pixel's distribution (the paper's movies).

    Parameters
    ----------
    number
        Of the draw; each has random numbers of its own.
    seed
        Of all draws.
    """

    number: int
    seed: int
    like: ClassVar[str] = "mean"
    undo: ClassVar[Literal["affine"]] = "affine"
    numbered: ClassVar[bool] = True

    @property
    def id(self) -> str:
        """Name among the others."""
        return f"sample_{self.number}"

    def __call__(self, answers: Answers, index: NDArray[np.uint64]) -> NDArray[Any]:
        """Draw every pixel; the same pixel of the same image is drawn alike."""
        first, second = (
            uniforms(self.seed, 2 * self.number + i, index) for i in range(2)
        )
        return mixture(answers).draw(first, second)


@dataclass(frozen=True, slots=True)
class Flag:
    """A mask, 255 where a restoration is not to be trusted.

    Parameters
    ----------
    disagreement
        Largest disagreement of an ensemble; None for any.
    scale
        Largest predicted scale in normalized units, where the distance of the image's
        percentiles is 1; None for any.
    """

    disagreement: float | None
    scale: float | None
    id: ClassVar[str] = "flag"
    like: ClassVar[str] = "mean"
    undo: ClassVar[Literal["none"]] = "none"
    numbered: ClassVar[bool] = True

    def __call__(self, answers: Answers, index: NDArray[np.uint64]) -> NDArray[Any]:
        """Compare with the thresholds."""
        found = np.zeros(index.shape, bool)
        if self.disagreement is not None:
            found |= answers["disagreement"] > self.disagreement
        if self.scale is not None:
            found |= _scale(answers) > self.scale
        return np.where(found, np.uint8(255), np.uint8(0))

    def __str__(self) -> str:
        """Say what is flagged."""
        parts = {"disagreement": self.disagreement, "relative scale": self.scale}
        return " or ".join(f"{k} > {v:g}" for k, v in parts.items() if v is not None)


Readout = Given | Quantile | Draw | Flag
"""All have an `id`, the output of the network that they are `like` in axes and
channels, a way to `undo` normalization (see `care.Output`), and are called with

answers
    outputs of the network by id, normalized, each (C, [Z,] Y, X);
index
    number of every pixel in the whole image, of the shape of the result.
"""


def mixture(answers: Answers) -> Mixture:
    """Gather the distribution of every pixel: of one network, or of all members."""
    if "member_mean" not in answers:
        return Mixture(answers["mean"][None], answers["scale"][None])
    # Members of one channel lie side by side.
    channels = len(answers["mean"])
    means, scales = (
        answers[name].reshape(channels, -1, *answers[name].shape[1:]).swapaxes(0, 1)
        for name in ("member_mean", "member_scale")
    )
    return Mixture(means, scales)


def _scale(answers: Answers) -> NDArray[np.float32]:
    """Scale of every pixel; of an ensemble, that of a Laplace as wide as it."""
    if "scale" in answers:
        return answers["scale"]
    return answers["std"] / np.float32(np.sqrt(2))
