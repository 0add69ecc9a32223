"""Image: pixels with their axes and calibration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

AXES = "STCZYX"
"""Axes an image may have: sample, time, channel and space."""

Flavour = Literal["imagej", "ome", "plain", "zarr-0.4", "zarr-0.5"]
"""Which convention a file follows to name its axes and calibration."""


@dataclass(frozen=True, slots=True)
class Look:
    """How an image is shown; what nobody said is empty.

    Parameters
    ----------
    colours
        ``RRGGBB`` of each channel.
    ranges
        Grey values of each channel that are shown black and in full colour.
    luts
        ImageJ's lookup table of each channel, uint8 of shape (3, 256).
    fps
        Frames a second at which a movie is played.
    greys
        ImageJ's line from pixels to the grey values that it shows: ``c0 + c1 * pixel``,
        as of signed 16 bits, (-32768, 1).
    """

    colours: tuple[str, ...] = ()
    ranges: tuple[tuple[float, float], ...] = ()
    luts: tuple[NDArray[Any], ...] = ()
    fps: float | None = None
    greys: tuple[float, float] | None = None

    @property
    def hues(self) -> tuple[str, ...]:
        """Colours, also those of the lookup tables; of inverted ones, the first."""
        ends = [lut[:, -1 if lut[:, -1].any() else 0] for lut in self.luts]
        found = ["".join(f"{value:02X}" for value in end) for end in ends]
        return self.colours or tuple(found)

    def picked(self, channels: Sequence[int]) -> Look:
        """Keep some channels, in their order."""

        def of(values: Any) -> Any:
            return tuple(values[i] for i in channels) if values else ()

        parts = of(self.colours), of(self.ranges), of(self.luts)
        return Look(*parts, self.fps, self.greys)

    def of_count(self, channels: int) -> Look:
        """Leave out what is not said of as many channels."""

        def of(values: Any) -> Any:
            return values if len(values) == channels else ()

        parts = of(self.colours), of(self.ranges), of(self.luts)
        return Look(*parts, self.fps, self.greys)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a file says of its image beside pixels and axes; see `Image`."""

    flavour: Flavour = "plain"
    voxel: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    interval: float | None = None
    channels: tuple[str, ...] = ()
    name: str = ""
    look: Look = field(default_factory=Look)
    origin: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
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
    name
        What its file calls the image.
    look
        Colours, ranges and the like.
    cut
        What was cut out of a larger image, in words.
    origin
        Where the first pixel lies, in `unit` by axis; 0 where it is absent. Only
        OME-Zarr keeps it.
    """

    pixels: NDArray[Any]
    axes: str
    voxel: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    interval: float | None = None
    channels: tuple[str, ...] = ()
    flavour: Flavour = "plain"
    name: str = ""
    look: Look = field(default_factory=Look)
    cut: str = ""
    origin: Mapping[str, float] = field(default_factory=dict)
