"""Figure: the plots and the table of an outcome, in the style of all reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from care_training.evaluate import INPUT, NETWORK
from care_training.report import boxes, chart, tiles
from care_training.studies.outcome import over_seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from care_training.report.chart import Chart
    from care_training.studies.outcome import Entry, Outcome

DIGITS = {"PSNR": 2, "NRMSE": 4, "SSIM": 3}
"""Of tables; 3 for all else."""


def plots(found: Outcome) -> list[Chart]:
    """Draw every measure: against the axis, or beside each other where there is none.

    One plot for each measure and part; of a part that lacks a measure, none.
    """
    made = []
    for measure, label in found.measures.items():
        for part in found.parts:
            mine = [e for e in found.entries if e.part == part and measure in e.scores]
            if not mine:
                continue
            name = tiles.named("study", found.study, part, measure)
            text = f"{part}: {label}" if part else label
            if found.axis:
                made.append(_curve(name, text, found.axis, measure, mine))
            else:
                # One range for all parts, so that they can be compared by eye.
                every = {str(e): e.scores.get(measure, ()) for e in found.entries}
                limits = boxes.limits([every])
                made.append(_side_by_side(name, text, measure, mine, limits))
    return made


def table(found: Outcome) -> tuple[list[str], list[list[str]]]:
    """Write means over images, with their spread over seeds.

    Returns
    -------
    heads, rows
        Of the table.
    """
    measures = list(dict.fromkeys(m for e in found.entries for m in e.scores))
    parted = len(found.parts) > 1
    several = any(entry.variant for entry in found.entries)
    heads = [*(["part"] if parted else []), *(["variant"] if several else [])]
    heads += ["method", *measures]
    rows = []
    for (variant, _, part, method), entries in found.grouped().items():
        strength = entries[0].strength
        more = "" if strength is None else f" ({strength:g})"
        row = [*([part] if parted else []), *([variant] if several else [])]
        row.append(method + more)
        row += [_cell(entries, measure) for measure in measures]
        rows.append(row)
    return heads, rows


def _cell(entries: Sequence[Entry], measure: str) -> str:
    if measure not in entries[0].scores:
        return ""
    mean, spread = over_seeds(entries, measure)
    digits = DIGITS.get(measure, 3)
    text = f"{mean:.{digits}f}"
    return text if spread is None else f"{text} ± {spread:.{digits}f}"


def _curve(
    name: str, label: str, along: str, measure: str, entries: Sequence[Entry]
) -> Chart:
    """Draw a measure against the axis: lines of means, and a dot for each seed."""
    figure, axes = chart.axes(2.9)
    methods = list(dict.fromkeys(entry.method for entry in entries))
    colours = chart.colours(methods)
    told = []
    for method in methods:
        mine = [entry for entry in entries if entry.method == method]
        colour, strong = colours[method], method == NETWORK
        flat = [entry for entry in mine if entry.value is None]
        for entry in flat:
            axes.axhline(
                entry.mean(measure), color=colour, ls="--", lw=1.2, label=method
            )
        points = sorted({e.value for e in mine if e.value is not None})
        if not points:
            continue
        groups = [[e for e in mine if e.value == value] for value in points]
        means = [over_seeds(group, measure)[0] for group in groups]
        width = 2.0 if strong else 1.3
        axes.plot(points, means, color=colour, lw=width, label=method, zorder=3)
        for value, group in zip(points, groups, strict=True):
            dots = [entry.mean(measure) for entry in group]
            axes.scatter([value] * len(dots), dots, s=12, color=colour, zorder=4)
        told.append(f"{method} " + ", ".join(f"{v:.3g}" for v in means))
    _ticks(axes, sorted({e.value for e in entries if e.value is not None}))
    chart.legend(axes)
    chart.labels(axes, along, label)
    return chart.chart(figure, name, f"{label} against {along}: {'; '.join(told)}")


def _ticks(axes: Axes, values: Sequence[float]) -> None:
    """Mark the values that were tried, on an axis of ratios."""
    axes.set_xscale("log")
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.set_xticks([], minor=True)
    if len(values) > 1:
        margin = float(np.sqrt(np.sqrt(values[1] / values[0])))
        axes.set_xlim(values[0] / margin, values[-1] * margin)


def _side_by_side(
    name: str,
    label: str,
    measure: str,
    entries: Sequence[Entry],
    limits: tuple[float, float],
) -> Chart:
    """Draw a box and dots for each method and variant: one dot an image and seed."""
    values: dict[str, list[float]] = {}
    for entry in entries:
        method = f"{entry.method}, {entry.variant}" if entry.variant else entry.method
        values.setdefault(method, []).extend(entry.scores[measure])
    values = dict(sorted(values.items(), key=lambda item: item[0] != INPUT))
    return boxes.plot(name, label, values, limits)
