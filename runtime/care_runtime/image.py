"""Image: pixels with their axes and calibration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

AXES = "STCZYX"
"""Axes an image may have: sample, time, channel and space."""

Flavour = Literal["imagej", "ome", "plain"]
"""Which convention a TIFF file follows to name its axes and calibration."""


@dataclass(frozen=True, slots=True)
class Image:
    """Pixels, and what a microscopist must not lose with them.

    Parameters
    ----------
    pixels
        Array with one dimension for each letter of `axes`.
    axes
        Letters of ``STCZYX`` in the order of the dimensions.
    voxel
        Pixel size in `unit` by axis (``"Z"``, ``"Y"``, ``"X"``); axes that are not
        calibrated are absent.
    unit
        Unit of `voxel`, ``"µm"`` for micrometres; empty where nothing is calibrated.
    interval
        Seconds between time points, or None.
    channels
        Channel names, empty or one for each channel.
    flavour
        Convention of the file the image came from.
    """

    pixels: NDArray[Any]
    axes: str
    voxel: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    interval: float | None = None
    channels: tuple[str, ...] = ()
    flavour: Flavour = "plain"
