"""Boxes: the scores of all images, side by side by method (Fig. 1d, 2d)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from care_training.evaluate import NETWORK
from care_training.report import chart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from care_training.report.chart import Chart

WHISKER = 1.5
"""Length of a whisker in interquartile ranges, at most; the paper's."""

SWARM = (0.0, 0.16, -0.16, 0.08, -0.08)
"""Where dots lie across their box, in turn."""


@dataclass(frozen=True, slots=True)
class Box:
    """Quartiles of some values, and whiskers to the last values within reach.

    Parameters
    ----------
    low, median, high
        Quartiles.
    least, greatest
        Ends of the whiskers.
    """

    low: float
    median: float
    high: float
    least: float
    greatest: float


def box(values: Sequence[float]) -> Box:
    """Summarize values, at least one, all finite."""
    low, median, high = (float(v) for v in np.percentile(values, (25, 50, 75)))
    reach = WHISKER * (high - low)
    inside = [v for v in values if low - reach <= v <= high + reach]
    # Quartiles lie between values, so that none may be left beyond one of them.
    return Box(low, median, high, min(low, *inside), max(high, *inside))


def plot(
    name: str,
    label: str,
    values: Mapping[str, Sequence[float]],
    limits: tuple[float, float] | None = None,
) -> Chart:
    """Draw a box and dots for every method, one dot an image.

    Parameters
    ----------
    name
        Of the file.
    label
        Of the values.
    values
        By method; those that are not finite are left out.
    limits
        Of the axis, the same for all conditions.
    """
    figure, axes = chart.axes(0.62 + 0.3 * len(values))
    found = chart.colours(list(values))
    for row, (method, given) in enumerate(values.items()):
        finite = [v for v in given if np.isfinite(v)]
        if not finite:
            continue
        mine, strong = box(finite), method == NETWORK
        colour = found[method]
        axes.barh(
            row,
            mine.high - mine.low,
            left=mine.low,
            height=0.62,
            color=colour,
            alpha=0.45 if strong else 0.2,
            linewidth=0,
        )
        for a, b in ((mine.least, mine.low), (mine.high, mine.greatest)):
            axes.plot([a, b], [row, row], color=colour, linewidth=1)
        axes.vlines(mine.median, row - 0.31, row + 0.31, color=colour, linewidth=2)
        places = [row + SWARM[i % len(SWARM)] for i in range(len(finite))]
        axes.scatter(finite, places, s=9, color=colour, linewidths=0, zorder=3)
    axes.set_yticks(range(len(values)), list(values))
    for text in axes.get_yticklabels():
        if text.get_text() == NETWORK:
            text.set(fontweight="bold", color=chart.COLOURS[NETWORK])
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    if limits:
        axes.set_xlim(*limits)
    axes.locator_params(axis="x", nbins=4)
    chart.labels(axes, label)
    medians = ", ".join(f"{k} {np.median(v):.3g}" for k, v in values.items())
    return chart.chart(figure, name, f"{label}; medians: {medians}")


def limits(groups: Sequence[Mapping[str, Sequence[float]]]) -> tuple[float, float]:
    """Find the limits of an axis that holds the values of all conditions."""
    values = [v for group in groups for given in group.values() for v in given]
    finite = [v for v in values if np.isfinite(v)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin
