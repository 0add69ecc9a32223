"""Evaluation: scores of a network on images it never saw, with baselines beside it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.contract import supported
from care_runtime.errors import FactorWarning
from care_runtime.resample import gather
from care_runtime.score import Scores, score
from care_training import baselines
from care_training.pairs import lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.restore import Restorer
    from care_runtime.restored import Restored
    from care_training.baselines import Baseline
    from care_training.measure import Measure
    from care_training.pairs import Pair

INPUT, NETWORK = "input", "network"
"""Methods that are always there; between them stand the baselines."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores over images that training never saw.

    Parameters
    ----------
    images
        Names of the images.
    each
        Scores by method: ``"input"``, baselines with their strengths, ``"network"``;
        one for each image and channel.
    more
        Other measures by method, as means over the images.
    tuned_on
        Images on which the strengths of baselines were chosen, where they were others
        than those scored.
    """

    images: tuple[str, ...]
    each: Mapping[str, Sequence[Scores]]
    more: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    tuned_on: tuple[str, ...] = ()

    @property
    def rows(self) -> dict[str, Scores]:
        """Mean scores by method."""
        return {name: Scores.mean(scores) for name, scores in self.each.items()}

    @property
    def spread(self) -> float:
        """Standard deviation of the network's PSNR over the images, in dB."""
        return float(np.std([s.psnr for s in self.each[NETWORK]]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `config.care`."""
        return {
            name: {
                "psnr": round(s.psnr, 2),
                "nrmse": round(s.nrmse, 4),
                "ssim": round(s.ssim, 3),
                **{k: round(v, 4) for k, v in self.more.get(name, {}).items()},
            }
            for name, s in self.rows.items()
        }

    def table(self) -> str:
        """Write the scores as a markdown table."""
        names = list(next(iter(self.more.values()), {}))
        heads = ["method", "PSNR dB", "NRMSE", "SSIM", *names]
        rows = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        for method, s in self.rows.items():
            cells = [method, f"{s.psnr:.2f}", f"{s.nrmse:.4f}", f"{s.ssim:.3f}"]
            found = self.more.get(method, {})
            cells += [f"{found[n]:.3f}" if n in found else "" for n in names]
            rows.append("| " + " | ".join(cells) + " |")
        return "\n".join(rows)


def evaluate(
    restorer: Restorer,
    pairs: Sequence[Pair],
    methods: Sequence[Baseline] = (baselines.GAUSSIAN,),
    *,
    tuning: Sequence[Pair] = (),
    measures: Sequence[Measure] = (),
) -> Evaluation:
    """Score input, baselines and network on image pairs.

    Parameters
    ----------
    restorer
        The exported model, as a user runs it.
    pairs
        Images of shape (C, [Z,] Y, X) that training never saw, looked at one after the
        other. What is compared with the truth as input is as large as the truth: a
        stack is stretched, or where it is to be projected, its maximum is taken.
    methods
        Baselines.
    tuning
        Pairs on which the strength of each baseline is chosen; without them it is the
        strength that is best on the very images scored, in favour of the baseline.
    measures
        What else is measured.
    """
    runs: dict[str, Callable[[Pair], NDArray[Any]]] = {INPUT: comparable}
    for method in methods:
        seen = [shown(method, pair) for pair in tuning or pairs]
        strength = baselines.tune(method, seen)
        label = method.name + (f" ({strength:g})" if len(method.strengths) > 1 else "")
        runs[label] = partial(_by_baseline, method, strength)
    runs[NETWORK] = partial(restore, restorer)
    names: list[str] = []
    each: dict[str, list[Scores]] = {label: [] for label in runs}
    found: dict[str, list[list[float]]] = {label: [] for label in runs}
    for pair in pairs:  # large stacks are read here, and let go of
        names.append(pair.name)
        for label, run in runs.items():
            image = run(pair)
            each[label] += scores(image, pair)
            found[label].append([measure.of(image, pair) for measure in measures])
    more = {
        label: {
            measure.name: float(value)
            for measure, value in zip(measures, np.mean(values, axis=0), strict=True)
        }
        for label, values in found.items()
        if measures
    }
    return Evaluation(tuple(names), each, more, tuple(p.name for p in tuning))


def shown(method: Baseline, pair: Pair) -> Pair:
    """Give a baseline what it starts from: the raw image, or as large as the truth."""
    return pair if method.raw else replace(pair, low=comparable(pair))


def _by_baseline(method: Baseline, strength: float, pair: Pair) -> NDArray[Any]:
    return baselines.restored(method, strength, shown(method, pair).low)


def comparable(pair: Pair) -> NDArray[Any]:
    """Bring the low image of a pair to the size of the high one, without a network."""
    if pair.low.ndim > pair.high.ndim:
        projected: NDArray[Any] = pair.low.max(axis=1)
        return projected
    return gather(pair.low, lines(pair))


def axes_of(image: NDArray[Any]) -> str:
    """Name the axes of an image of a pair."""
    return "CZYX" if image.ndim == 4 else "CYX"


def restore(restorer: Restorer, pair: Pair) -> NDArray[Any]:
    """Restore the low image of a pair: (C, [Z,] Y, X)."""
    return np.asarray(answers(restorer, pair).image)


def answers(restorer: Restorer, pair: Pair) -> Restored:
    """Restore the low image of a pair, and give all outputs of the model.

    It is stretched to the size of the high image, which may be another one than the
    factor of the model gives; a patch that is normalized already is not normalized.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FactorWarning)
        return restorer(
            pair.low,
            axes_of(pair.low),
            dtype="float32",
            normalize="none" if pair.ready else "auto",
            factor=_factor(restorer, pair),
        )


def _factor(restorer: Restorer, pair: Pair) -> float | None:
    """Say by how much the model has to stretch a low image; None if it does not."""
    resample = supported(restorer.spec).resample
    if resample is None:
        return None
    axis = -1 - "XYZ".index(resample.axis.upper())
    return pair.high.shape[axis] / pair.low.shape[axis]


def scores(image: Any, pair: Pair) -> list[Scores]:
    """Score channel by channel; an input may have more channels than the truth."""
    return [score(x, y) for x, y in zip(image, pair.high, strict=False)]
