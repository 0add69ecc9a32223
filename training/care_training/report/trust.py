"""Trust: whether a network errs where it says that it may (Fig. 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from care_training.evaluate import NETWORK
from care_training.report import chart, tiles
from care_training.report.chart import TRUTH
from care_training.report.tiles import Row, Tile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from care_training.report.chart import Chart
    from care_training.report.gather import Seen

TELLING = ("disagreement", "std", "scale")
"""Outputs that tell where errors may be, the most telling first."""

PIXELS = 200_000
"""Pixels of an image that are compared, at most."""

PARTS = 10


@dataclass(frozen=True, slots=True)
class Relation:
    """How an output that tells of errors goes with them, over the pixels of an image.

    Parameters
    ----------
    pearson, spearman
        Correlations with the absolute error, of values and of ranks; NaN where one of
        the two is constant.
    deciles
        Mean absolute error of each tenth of the pixels, from the least output to the
        greatest; the truth's range is 1.
    """

    pearson: float
    spearman: float
    deciles: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a report."""
        return {
            "pearson": self.pearson,
            "spearman": self.spearman,
            "deciles": list(self.deciles),
        }


def relation(
    output: NDArray[np.floating[Any]], error: NDArray[np.floating[Any]]
) -> Relation:
    """Compare an output with the absolute error, of one shape."""
    step = max(1, error.size // PIXELS)
    x, y = (np.asarray(image, np.float64).ravel()[::step] for image in (output, error))
    parts = np.array_split(y[np.argsort(x, kind="stable")], PARTS)
    deciles = tuple(float(part.mean()) for part in parts)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return Relation(float("nan"), float("nan"), deciles)
    ranks = stats.rankdata(x), stats.rankdata(y)
    return Relation(_correlation(x, y), _correlation(*ranks), deciles)


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def mean(relations: Sequence[Relation]) -> Relation:
    """Average over images."""
    columns = np.array([(r.pearson, r.spearman, *r.deciles) for r in relations])
    pearson, spearman, *deciles = (float(v) for v in columns.mean(axis=0))
    return Relation(pearson, spearman, tuple(deciles))


def over(seen: Sequence[Seen]) -> dict[str, Relation]:
    """Average the relations of images, by output."""
    names = seen[0].relations if seen else ()
    return {name: mean([image.relations[name] for image in seen]) for name in names}


def row(image: Seen) -> Row:
    """Show what a network says of its errors next to the absolute error (Fig. 5c)."""
    view = image.views[0]
    crops = image.crops[view.name]
    restored, truth = crops[NETWORK][0], crops[TRUTH][0]
    off = np.abs(restored - truth)
    _, high = tiles.range_of([off])
    shown = [
        Tile(NETWORK, tiles.grey(restored), strong=True),
        Tile(TRUTH, tiles.grey(truth)),
        Tile(f"absolute error, 0 to {high:.2f}", tiles.coloured(off, 0, high)),
    ]
    for name in TELLING:
        if name in image.maps:
            plane = image.maps[name][0]
            _, most = tiles.range_of([plane])
            label = f"{name}, 0 to {most:.3g}"
            shown.append(Tile(label, tiles.coloured(plane, 0, most)))
    title = f"{image.name}, {view.name}, {view.place}"
    return Row(tiles.named("trust", image.condition), title, tuple(shown))


def plot(name: str, found: Mapping[str, Relation]) -> Chart:
    """Draw the mean absolute error by tenths of the pixels, by output."""
    figure, axes = chart.axes(2.7)
    places = np.arange(PARTS) + 0.5
    for (output, relation_), colour in zip(found.items(), chart.OTHERS, strict=False):
        label = f"{output} (rank corr. {relation_.spearman:.2f})"
        axes.plot(places, relation_.deciles, "o-", ms=4, color=colour, label=label)
    axes.set(xlim=(0, PARTS), ylim=(0, None))
    axes.set_xticks(range(0, PARTS + 1, 2), [f"{10 * n} %" for n in range(0, 11, 2)])
    axes.legend(frameon=False, fontsize=8.5, loc="upper left")
    chart.labels(axes, "pixels, from the least doubtful on", "mean absolute error")
    return chart.chart(figure, name, "Mean absolute error by what the network says")
