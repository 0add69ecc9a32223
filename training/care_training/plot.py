"""Plot: figures of a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_runtime.files import written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from care_training.calibration import Calibration


def calibration(path: Path, curves: Mapping[str, Calibration]) -> None:
    """Draw accuracy against confidence as PNG (the paper's Fig. 5a).

    Parameters
    ----------
    path
        Of the picture.
    curves
        Calibrations by their name in the legend.
    """
    # Not pyplot: it keeps figures and looks for a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="perfect")
    for name, curve in curves.items():
        label = f"{name}, error {curve.error:.3f}"
        axes.plot(curve.confidence, curve.accuracy, marker="o", ms=3, label=label)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    axes.set_aspect("equal")
    axes.legend(loc="upper left", frameon=False)
    with written(path) as partial:
        figure.savefig(partial, format="png", metadata={"Software": None})
