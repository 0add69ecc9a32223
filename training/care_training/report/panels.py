"""Panels: one image of each condition, as every method shows it (Fig. 1c, 2c, 3c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from care_training.evaluate import INPUT, NETWORK
from care_training.report import chart, tiles
from care_training.report.chart import TRUTH
from care_training.report.profile import Line, crossing
from care_training.report.tiles import Row, Tile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from care_training.report.chart import Chart
    from care_training.report.gather import Seen


def typical(seen: Sequence[Seen], condition: str) -> Seen:
    """Choose the image of a condition whose PSNR is the median: none of the best."""
    mine = [image for image in seen if image.condition == condition]
    return sorted(mine, key=lambda image: image.psnr)[(len(mine) - 1) // 2]


def methods(best: str | None) -> tuple[str, ...]:
    """Name what is shown beside each other, left to right."""
    return (INPUT, *([best] if best else []), NETWORK, TRUTH)


def rows(image: Seen, best: str | None) -> list[Row]:
    """Show input, best baseline, network and truth, view by view and by channel."""
    found = []
    for number, view in enumerate(image.views):
        crops = image.crops[view.name]
        for channel in range(len(crops[TRUTH])):
            more = f"channel {channel}" if len(crops[TRUTH]) > 1 else ""
            shown = [
                Tile(name, tiles.grey(crops[name][channel]), name == NETWORK)
                for name in methods(best)
            ]
            height = image.maps.get("height")
            if height is not None and number == channel == 0:
                low, high = tiles.range_of([height[0]])
                pixels = tiles.coloured(height[0], low, high, "viridis")
                shown.append(Tile(f"height, planes {low:.0f} to {high:.0f}", pixels))
            name = tiles.named("panel", image.condition, view.name, more)
            title = ", ".join(p for p in (image.name, view.name, more, view.place) if p)
            found.append(Row(name, title, tuple(shown)))
    return found


def profile(image: Seen, best: str | None, *, upright: bool) -> tuple[Row, Chart]:
    """Draw the grey values along a line through the first view, and the line.

    Parameters
    ----------
    image
        What is shown.
    best
        The baseline.
    upright
        Whether the line runs along Z: where stacks are made isotropic.
    """
    crops = image.crops[image.views[0].name]
    line: Line = crossing(crops[TRUTH][0], upright=upright)
    names = methods(best)
    found = chart.colours(names)
    figure, axes = chart.axes(2.7)
    style: dict[str, Any]
    for name in names:
        style = {"linewidth": 1.0, "alpha": 0.7} if name == INPUT else {}
        if name == NETWORK:
            style = {"linewidth": 2.0, "zorder": 3}
        if name == TRUTH:
            style = {"linestyle": "--", "linewidth": 1.2, "zorder": 4}
        values = line.values(crops[name][0])
        axes.plot(values, color=found[name], label=name, **{"linewidth": 1.3, **style})
    axes.margins(x=0)
    truth = line.values(crops[TRUTH][0])
    reach = float(truth.max() - truth.min()) or 1.0
    axes.set_ylim(float(truth.min()) - 0.3 * reach, float(truth.max()) + 0.3 * reach)
    chart.legend(axes)
    along = "pixels along Z" if upright else "pixels along the line"
    chart.labels(axes, along, "intensity, truth's range is 1")
    name = tiles.named("profile", image.condition)
    text = f"Intensity along a line through {image.name}: {', '.join(names)}"
    marked = tuple(
        Tile(n, tiles.crossed(tiles.grey(crops[n][0]), line), n == NETWORK)
        for n in (INPUT, NETWORK, TRUTH)
    )
    row = Row(tiles.named("line", image.condition), image.name, marked)
    return row, chart.chart(figure, name, text)
