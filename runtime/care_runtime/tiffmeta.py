"""Calibration of TIFF files: what ImageJ, OME and plain TIFF say of an image."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from care_runtime import omeset, tiffkinds, units
from care_runtime.image import Calibration, Look

if TYPE_CHECKING:
    from pathlib import Path

INVERTED = np.repeat(np.arange(255, -1, -1, dtype=np.uint8)[None], 3, axis=0)
"""Lookup table of images of which 0 is white."""

RESOLUTIONS = {2: (25400.0, 5000), 3: (1e4, 500)}
"""Unit of TIFF's resolution (inch, centimetre): its µm, and dots of a fine printer."""

UNCALIBRATED = {"", "pixel", "pixels", "reference frame", "referenceframe"}
SPACE = "ZYX"


def calibration(tif: Any, series: Any, channels: int, path: Path) -> Calibration:
    """Return the calibration of an image in an open file.

    Parameters
    ----------
    tif
        Open ``tifffile.TiffFile``.
    series
        The image; tifffile says of which kind it is: ``imagej``, ``ome`` or another.
    channels
        Size of the channel axis, 1 if there is none. Names are kept if their number
        is this.
    path
        Of the file.

    Returns
    -------
    Calibration
        Sizes in one unit: the file's own, or µm if the file mixes several.
    """
    if series.kind == "imagej":
        return _imagej(tif, channels)
    if series.kind == "ome":
        number = omeset.number(series, tif.ome_metadata, path)
        return _ome(tif.ome_metadata, channels, number)
    said = tiffkinds.calibration(tif, series, channels)
    if said is not None:
        return said
    inverted = series.keyframe.photometric == 0 and channels == 1
    look = Look(luts=(INVERTED,) if inverted else ())
    return Calibration("plain", *_resolution(tif), look=look)


def _imagej(tif: Any, channels: int) -> Calibration:
    meta = tif.imagej_metadata or {}
    unit = str(meta.get("unit", ""))
    tags = tif.pages.first.tags
    voxel, one = _one_unit(
        {
            "Z": (meta.get("spacing"), meta.get("zunit", unit)),
            "Y": (_inverse(tags.valueof("YResolution")), meta.get("yunit", unit)),
            "X": (_inverse(tags.valueof("XResolution")), unit),
        }
    )
    if not unit:
        voxel, one = _resolution(tif)
    interval = _seconds(meta.get("finterval"), str(meta.get("tunit", "s")))
    names = _channels_of(meta.get("Labels"), channels)
    look = Look(
        ranges=_ranges(meta, channels),
        luts=_luts(meta.get("LUTs"), channels) or _palette(tif, channels),
        fps=units.positive(meta.get("fps")),
        greys=_greys(meta),
    )
    return Calibration("imagej", voxel, one, interval, names, look=look)


def _greys(meta: Any) -> tuple[float, float] | None:
    """Return the straight line (ImageJ's function 0) of a file that has one."""
    values = meta.get("c0"), meta.get("c1")
    numbers = all(isinstance(value, int | float) for value in values)
    return values if meta.get("cf") == 0 and numbers else None


def _ranges(meta: Any, channels: int) -> tuple[tuple[float, float], ...]:
    values = meta.get("Ranges")
    if channels == 1 and values is None and {"min", "max"} <= set(meta):
        values = (meta["min"], meta["max"])
    if not isinstance(values, tuple) or len(values) != 2 * channels:
        return ()
    try:
        found = [float(value) for value in values]
    except (TypeError, ValueError):
        return ()
    return tuple(zip(found[::2], found[1::2], strict=True))


def _luts(values: Any, channels: int) -> tuple[Any, ...]:
    found = values if isinstance(values, list) else [values]  # tifffile's, of one
    whole = all(getattr(lut, "shape", ()) == (3, 256) for lut in found)
    return tuple(found) if whole and len(found) == channels else ()


def _palette(tif: Any, channels: int) -> tuple[Any, ...]:
    """Return the lookup table of 8-bit images, which ImageJ writes as a palette."""
    colours = tif.pages.first.colormap
    if channels != 1 or getattr(colours, "shape", ()) != (3, 256):
        return ()
    return ((colours >> 8).astype(np.uint8),)


def _channels_of(labels: Any, channels: int) -> tuple[str, ...]:
    """Return the names if ImageJ's labels of planes repeat them (C runs fastest)."""
    if not isinstance(labels, list) or channels < 2:
        return ()
    names = labels[:channels]
    repeated = names * (len(labels) // channels)
    return tuple(names) if repeated == labels and any(names) else ()


def _ome(xml: str, channels: int, number: int | None) -> Calibration:
    found = ElementTree.fromstring(xml).findall("{*}Image")
    image = None if number is None else found[number]
    pixels = None if image is None else image.find("{*}Pixels")
    if image is None or pixels is None:
        return Calibration("ome")
    get = pixels.get
    voxel, unit = _one_unit(
        {
            axis: (get(f"PhysicalSize{axis}"), get(f"PhysicalSize{axis}Unit", "µm"))
            for axis in SPACE
        }
    )
    interval = _seconds(get("TimeIncrement"), get("TimeIncrementUnit", "s"))
    names = tuple(channel.get("Name", "") for channel in pixels.iterfind("{*}Channel"))
    if len(names) != channels or not any(names):
        names = ()
    colours = [channel.get("Color") for channel in pixels.iterfind("{*}Channel")]
    look = Look(tuple(_hue(colour) for colour in colours) if any(colours) else ())
    look = look.of_count(channels)
    name = image.get("Name", "")
    return Calibration("ome", voxel, unit, interval, names, name, look)


def _hue(colour: str | None) -> str:
    """Return ``RRGGBB`` of OME's signed RGBA; what it does not say is white."""
    try:
        return f"{int(colour or -1) & 0xFFFFFFFF:08X}"[:6]
    except ValueError:
        return "FFFFFF"


def _resolution(tif: Any) -> tuple[dict[str, float], str]:
    """Return sizes in µm from the resolution tags, if they can be a microscope's."""
    tags = tif.pages.first.tags
    unit = tags.valueof("ResolutionUnit")
    sizes = {axis: _inverse(tags.valueof(f"{axis}Resolution")) for axis in "YX"}
    long, dots = RESOLUTIONS.get(unit, (1.0, math.inf))
    # What printers and screens can show as well was meant for them.
    found = {a: size * long for a, size in sizes.items() if 0 < size * dots < 1}
    return {
        axis: units.short(size) for axis, size in found.items()
    }, "µm" if found else ""


def _one_unit(sizes: dict[str, tuple[Any, str]]) -> tuple[dict[str, float], str]:
    """Return calibrated sizes in one unit: theirs, or µm if they differ."""
    found = {}
    for axis, (size, unit) in sizes.items():
        name = unit_name(str(unit))
        if name and (value := units.positive(size)) is not None:
            found[axis] = (value, name)
    said = {unit for _, unit in found.values()}
    if len(said) <= 1:
        return {axis: size for axis, (size, _) in found.items()}, "".join(said)
    known = {
        axis: units.short(size * units.METRES[unit] / units.METRES["µm"])
        for axis, (size, unit) in found.items()
        if unit in units.METRES
    }
    return known, "µm" if known else ""


def unit_name(unit: str) -> str:
    r"""Return ``"µm"`` for every name of it, ``""`` for pixels, unknown ones unchanged.

    ImageJ escapes what is not ASCII: ``\u00B5m``.
    """
    text = _unescaped(unit).strip()
    return "" if text.lower() in UNCALIBRATED else units.length(text)


def _unescaped(text: str) -> str:
    return re.sub(r"\\u([0-9A-Fa-f]{4})", lambda m: chr(int(m[1], 16)), text)


def _seconds(value: Any, unit: str) -> float | None:
    found, scale = units.positive(value), units.seconds(_unescaped(unit))
    if found is None or scale is None:
        return None
    return found if scale == 1 else units.short(found * scale)


def _inverse(rational: Any) -> float:
    """Return size from pixels per unit, 0 if the tag is missing or void."""
    if not isinstance(rational, tuple) or not all(rational):
        return 0.0
    return units.short(rational[1] / rational[0])
