"""Chart: the one style of all plots of a report."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from care_training.evaluate import INPUT, NETWORK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRUTH = "truth"

COLOURS = {INPUT: "#8c8c8c", NETWORK: "#d55e00", TRUTH: "#000000"}
"""Vermilion for the network alone (Okabe and Ito, safe for colour-blind eyes)."""

OTHERS = ("#0072b2", "#009e73", "#56b4e9", "#cc79a7", "#e69f00")
"""Of the same set, for baselines in their order."""

WIDTH = 3.7
"""Inches: as wide as a phone, where text is then as large as that around it."""

BESIDE = 20
"""Letters of a name in a legend, up to which two of them find room side by side."""

DPI = 200


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot, as PNG on white.

    Parameters
    ----------
    name
        Of its file, without suffix.
    png
        The file.
    text
        What it shows, for those who cannot see it.
    """

    name: str
    png: bytes
    text: str


def colours(methods: Sequence[str]) -> dict[str, str]:
    """Give every method its colour."""
    found, number = {}, 0
    for method in methods:
        if method in COLOURS:
            found[method] = COLOURS[method]
        else:
            found[method] = OTHERS[number % len(OTHERS)]
            number += 1
    return found


def axes(height: float = 2.6, width: float = WIDTH) -> tuple[Figure, Axes]:
    """Make quiet axes: no frame but two lines, and small, dark grey text."""
    # Not pyplot: it keeps figures and looks for a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    made = figure.add_subplot()
    for side in ("top", "right"):
        made.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        made.spines[side].set_color("0.5")
    made.tick_params(colors="0.5", labelcolor="0.2", labelsize=8.5)
    return figure, made


def legend(made: Axes) -> None:
    """Name the lines above the plot, where they hide nothing."""
    names = made.get_legend_handles_labels()[1]
    made.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=2 if max(map(len, names), default=0) <= BESIDE else 1,
        frameon=False,
        fontsize=8.5,
        handlelength=1.4,
        columnspacing=1.2,
    )


def labels(made: Axes, x: str, y: str = "") -> None:
    """Name the axes."""
    made.set_xlabel(x, fontsize=9, color="0.2")
    if y:
        made.set_ylabel(y, fontsize=9, color="0.2")


def chart(figure: Figure, name: str, text: str) -> Chart:
    """Write a figure as PNG, the same bytes every time."""
    stream = BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return Chart(name, stream.getvalue(), text)
