"""Spectra: detail along Z and along X, before and after (Fig. 3b)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_training.evaluate import NETWORK
from care_training.metrics.spectrum import Spectra, spectra
from care_training.report import chart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from care_training.report.chart import Chart


def measured(image: NDArray[np.floating[Any]]) -> Spectra:
    """Measure the spectra of a volume (C, Z, Y, X), as the mean over channels."""
    return mean([spectra(channel, voxel=(1, 1, 1)) for channel in image])


def mean(found: Sequence[Spectra]) -> Spectra:
    """Average spectra, at the frequencies of the first."""
    frequency = found[0].frequency
    axial, lateral = (
        np.mean(
            [np.interp(frequency, s.frequency, getattr(s, side)) for s in found], axis=0
        )
        for side in ("axial", "lateral")
    )
    return Spectra(frequency, axial, lateral)


def plot(name: str, side: str, found: Mapping[str, Sequence[Spectra]]) -> Chart:
    """Draw the mean spectra of methods along Z or along X.

    Parameters
    ----------
    name
        Of the file.
    side
        ``"axial"`` or ``"lateral"``.
    found
        By method, one of each image.
    """
    figure, axes = chart.axes(2.8)
    colours = chart.colours(list(found))
    for method, images in found.items():
        together = mean(images)
        strong = method == NETWORK
        axes.semilogy(
            together.frequency,
            np.maximum(getattr(together, side), 1e-20),
            color=colours[method],
            label=method,
            linewidth=2.0 if strong else 1.3,
            linestyle="--" if method == chart.TRUTH else "-",
            zorder=3 if strong else 2,
        )
    every = np.concatenate([getattr(mean(f), side) for f in found.values()])
    axes.set_ylim(max(float(every.min()), float(every.max()) * 1e-8), None)
    axes.set_xlim(0, 0.5)
    chart.legend(axes)
    along = "Z" if side == "axial" else "X"
    chart.labels(axes, f"frequency along {along}, cycles a pixel", "power")
    text = f"Power spectrum along {along}: {', '.join(found)}"
    return chart.chart(figure, name, text)
