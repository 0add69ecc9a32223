"""Evaluation: scores of a network on images it never saw, with baselines beside it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.resample import gather
from care_runtime.score import Scores, score
from care_training import baselines
from care_training.pairs import lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

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
    restorer: Callable[..., Restored],
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
        Images of shape (C, [Z,] Y, X) that training never saw. What is compared with
        the truth as input is as large as the truth: a stack is stretched, or where it
        is to be projected, its maximum is taken.
    methods
        Baselines.
    tuning
        Pairs on which the strength of each baseline is chosen; without them it is the
        strength that is best on the very images scored, in favour of the baseline.
    measures
        What else is measured.
    """
    restored: dict[str, Iterable[NDArray[Any]]] = {
        INPUT: (comparable(pair) for pair in pairs)
    }
    for method in methods:
        strength = baselines.tune(method, shown(method, tuning or pairs))
        label = method.name + (f" ({strength:g})" if len(method.strengths) > 1 else "")
        lows = (pair.low for pair in shown(method, pairs))
        restored[label] = map(partial(baselines.restored, method, strength), lows)
    restored[NETWORK] = (restore(restorer, pair) for pair in pairs)
    each: dict[str, list[Scores]] = {}
    more: dict[str, dict[str, float]] = {}
    for method_name, images in restored.items():
        each[method_name], found = [], []
        for image, pair in zip(images, pairs, strict=True):
            each[method_name] += scores(image, pair)
            found.append([measure.of(image, pair) for measure in measures])
        means = np.mean(found, axis=0) if measures else ()
        more[method_name] = {
            m.name: float(v) for m, v in zip(measures, means, strict=True)
        }
    names, tuned = ([p.name for p in part] for part in (pairs, tuning))
    return Evaluation(tuple(names), each, more if measures else {}, tuple(tuned))


def shown(method: Baseline, pairs: Sequence[Pair]) -> list[Pair]:
    """Give a baseline what it starts from: the raw images, or as large as the truth."""
    if method.raw:
        return list(pairs)
    return [replace(pair, low=comparable(pair)) for pair in pairs]


def comparable(pair: Pair) -> NDArray[Any]:
    """Bring the low image of a pair to the size of the high one, without a network."""
    if pair.low.ndim > pair.high.ndim:
        projected: NDArray[Any] = pair.low.max(axis=1)
        return projected
    return gather(pair.low, lines(pair))


def axes_of(image: NDArray[Any]) -> str:
    """Name the axes of an image of a pair."""
    return "CZYX" if image.ndim == 4 else "CYX"


def restore(restorer: Callable[..., Restored], pair: Pair) -> NDArray[Any]:
    """Restore the low image of a pair: (C, [Z,] Y, X)."""
    return np.asarray(restorer(pair.low, axes_of(pair.low), dtype="float32").image)


def scores(image: Any, pair: Pair) -> list[Scores]:
    """Score channel by channel; an input may have more channels than the truth."""
    return [score(x, y) for x, y in zip(image, pair.high, strict=False)]
