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
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.restore import Restorer
    from care_runtime.restored import Restored
    from care_training.baselines import Baseline
    from care_training.measure import Measure
    from care_training.pairs import Pair

INPUT, NETWORK = "input", "network"
"""Methods that are always there; between them stand the baselines."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one method made of one image.

    Parameters
    ----------
    scores
        One for each channel.
    measured
        Other measures by name.
    """

    scores: tuple[Scores, ...]
    measured: Mapping[str, float]


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
    measured
        Other measures by method and name; one value for each image.
    tuned_on
        Images on which the strengths of baselines were chosen, where they were others
        than those scored.
    """

    images: tuple[str, ...]
    each: Mapping[str, Sequence[Scores]]
    measured: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    tuned_on: tuple[str, ...] = ()

    @property
    def rows(self) -> dict[str, Scores]:
        """Mean scores by method."""
        return {name: Scores.mean(scores) for name, scores in self.each.items()}

    @property
    def more(self) -> dict[str, dict[str, float]]:
        """Other measures by method, as means over the images."""
        return {
            method: {name: float(np.mean(values)) for name, values in found.items()}
            for method, found in self.measured.items()
        }

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
                **{
                    k: round(v, 2 if digits(k) == 2 else 4)
                    for k, v in self.more.get(name, {}).items()
                },
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
            cells += [f"{found[n]:.{digits(n)}f}" if n in found else "" for n in names]
            rows.append("| " + " | ".join(cells) + " |")
        return "\n".join(rows)


def digits(name: str) -> int:
    """Decide how many digits of a measure are written: of decibels two, as of PSNR."""
    return 2 if name.endswith("dB") else 3


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
    ways = rivals(methods, tuning or pairs)
    ways[NETWORK] = partial(restore, restorer)
    rows = (
        {name: judge(way(pair), pair, measures) for name, way in ways.items()}
        for pair in pairs
    )
    return collected(pairs, rows, tuning)


def rivals(
    methods: Sequence[Baseline], tuning: Sequence[Pair]
) -> dict[str, Callable[[Pair], NDArray[Any]]]:
    """Make what stands beside a network: the input, and every baseline, tuned.

    Parameters
    ----------
    methods
        Baselines.
    tuning
        Pairs on which the strength of each is chosen.

    Returns
    -------
    dict
        Functions by the label of tables, which give an image as large as the truth.
    """
    ways: dict[str, Callable[[Pair], NDArray[Any]]] = {INPUT: comparable}
    for method in methods:
        strength = baselines.tune(method, [shown(method, pair) for pair in tuning])
        label = method.name + (f" ({strength:g})" if len(method.strengths) > 1 else "")
        ways[label] = partial(_by_baseline, method, strength)
    return ways


def shown(method: Baseline, pair: Pair) -> Pair:
    """Give a baseline what it starts from: the raw image, or as large as the truth."""
    return pair if method.raw else replace(pair, low=comparable(pair))


def judge(image: NDArray[Any], pair: Pair, measures: Sequence[Measure]) -> Judgement:
    """Judge one image (C, [Z,] Y, X) by the pair whose high image it stands for."""
    found = {measure.name: measure.of(image, pair) for measure in measures}
    return Judgement(tuple(scores(image, pair)), found)


def collected(
    pairs: Sequence[Pair],
    rows: Iterable[Mapping[str, Judgement]],
    tuning: Sequence[Pair] = (),
) -> Evaluation:
    """Collect what was judged of every image, by method.

    Parameters
    ----------
    pairs
        The images.
    rows
        What was judged of each, by method.
    tuning
        Pairs on which baselines were tuned, if others.
    """
    each: dict[str, list[Scores]] = {}
    measured: dict[str, dict[str, list[float]]] = {}
    names = []
    for pair, row in zip(pairs, rows, strict=True):
        names.append(pair.name)
        for method, judgement in row.items():
            each.setdefault(method, []).extend(judgement.scores)
            for name, value in judgement.measured.items():
                values = measured.setdefault(method, {}).setdefault(name, [])
                values.append(float(value))
    return Evaluation(tuple(names), each, measured, tuple(p.name for p in tuning))


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
    factor: float = pair.high.shape[axis] / pair.low.shape[axis]
    return factor


def scores(image: Any, pair: Pair) -> list[Scores]:
    """Score channel by channel; an input may have more channels than the truth."""
    return [score(x, y) for x, y in zip(image, pair.high, strict=False)]
