"""Evaluation: scores of a network on images it never saw, with baselines beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.resample import gather
from care_runtime.score import Scores, score
from care_training import baselines
from care_training.pairs import lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from care_runtime.restored import Restored
    from care_training.baselines import Baseline
    from care_training.pairs import Pair


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Mean scores over held-back images.

    Parameters
    ----------
    images
        Names of the images.
    rows
        Scores by method: ``"input"``, baselines with their strengths, ``"network"``.
    spread
        Standard deviation of the network's PSNR over the images, in dB.
    """

    images: tuple[str, ...]
    rows: dict[str, Scores]
    spread: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `config.care`."""
        return {
            name: {
                "psnr": round(s.psnr, 2),
                "nrmse": round(s.nrmse, 4),
                "ssim": round(s.ssim, 3),
            }
            for name, s in self.rows.items()
        }

    def table(self) -> str:
        """Write the scores as a markdown table."""
        lines = ["| method | PSNR dB | NRMSE | SSIM |", "|---|---|---|---|"]
        lines += [
            f"| {name} | {s.psnr:.2f} | {s.nrmse:.4f} | {s.ssim:.3f} |"
            for name, s in self.rows.items()
        ]
        return "\n".join(lines)


def evaluate(
    restorer: Callable[..., Restored],
    pairs: Sequence[Pair],
    methods: Sequence[Baseline] = (baselines.GAUSSIAN,),
) -> Evaluation:
    """Score input, baselines and network on image pairs.

    Parameters
    ----------
    restorer
        The exported model, as a user runs it.
    pairs
        Images of shape (C, [Z,] Y, X) that training never saw. What is compared with
        the truth as input, and what baselines start from, is as large as the truth: a
        stack is stretched, or where it is to be projected, its maximum is taken.
    methods
        Baselines, each at the strength that is best on these very images.
    """
    shown = [replace(pair, low=comparable(pair)) for pair in pairs]
    rows = {
        "input": Scores.mean([s for pair in shown for s in _scores(pair.low, pair)])
    }
    for method in methods:
        found = baselines.best(method, shown)
        rows[f"{found.name} ({found.strength:g})"] = found.scores
    restored = [s for pair in pairs for s in _scores(_restore(restorer, pair), pair)]
    rows["network"] = Scores.mean(restored)
    spread = float(np.std([s.psnr for s in restored]))
    return Evaluation(tuple(pair.name for pair in pairs), rows, spread)


def comparable(pair: Pair) -> NDArray[Any]:
    """Bring the low image of a pair to the size of the high one, without a network."""
    if pair.low.ndim > pair.high.ndim:
        projected: NDArray[Any] = pair.low.max(axis=1)
        return projected
    return gather(pair.low, lines(pair))


def axes_of(image: NDArray[Any]) -> str:
    """Name the axes of an image of a pair."""
    return "CZYX" if image.ndim == 4 else "CYX"


def _restore(restorer: Callable[..., Restored], pair: Pair) -> NDArray[Any]:
    return restorer(pair.low, axes_of(pair.low), dtype="float32").image


def _scores(image: Any, pair: Pair) -> list[Scores]:
    """Score channel by channel; an input may have more channels than the truth."""
    return [score(x, y) for x, y in zip(image, pair.high, strict=False)]
