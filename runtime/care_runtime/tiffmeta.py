"""Calibration of TIFF files: what ImageJ, OME and plain TIFF say of an image."""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

from care_runtime.image import Calibration, Look

METRES = {
    "m": 1.0,
    "cm": 1e-2,
    "mm": 1e-3,
    "µm": 1e-6,
    "nm": 1e-9,
    "Å": 1e-10,
    "pm": 1e-12,
}
SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "µs": 1e-6, "min": 60.0, "h": 3600.0}
MICROMETRE = {"um", "\u03bcm", "micron", "microns", "micrometer", "micrometre"}
UNCALIBRATED = {"", "pixel", "pixels", "reference frame", "referenceframe"}
SPACE = "ZYX"


def calibration(tif: Any, kind: str, channels: int, number: int = 0) -> Calibration:
    """Return the calibration of an open file.

    Parameters
    ----------
    tif
        Open ``tifffile.TiffFile``.
    kind
        Kind of its series, as tifffile names it: ``imagej``, ``ome`` or another.
    channels
        Size of the channel axis, 1 if there is none. Names are kept if their number
        is this.
    number
        Of the image in an OME-TIFF.

    Returns
    -------
    Calibration
        Sizes in one unit: the file's own, or µm if the file mixes several.
    """
    if kind == "imagej":
        return _imagej(tif, channels)
    if kind == "ome":
        return _ome(tif.ome_metadata, channels, number)
    return Calibration("plain", *_resolution(tif))


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
        luts=_luts(meta.get("LUTs"), channels),
        fps=_positive(meta.get("fps")),
    )
    return Calibration("imagej", voxel, one, interval, names, look=look)


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
    found = values if isinstance(values, list) else []
    whole = all(getattr(lut, "shape", ()) == (3, 256) for lut in found)
    return tuple(found) if whole and len(found) == channels else ()


def _channels_of(labels: Any, channels: int) -> tuple[str, ...]:
    """Return the names if ImageJ's labels of planes repeat them (C runs fastest)."""
    if not isinstance(labels, list) or channels < 2:
        return ()
    names = labels[:channels]
    repeated = names * (len(labels) // channels)
    return tuple(names) if repeated == labels and any(names) else ()


def _ome(xml: str, channels: int, number: int) -> Calibration:
    found = ElementTree.fromstring(xml).findall("{*}Image")
    image = found[number] if number < len(found) else None
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
    if unit == 3:  # centimetres
        found = {axis: size * 1e4 for axis, size in sizes.items() if 0 < size < 1}
    elif unit == 2:  # inches; printers and screens have fewer than 5000 dots in one
        found = {axis: size * 25400 for axis, size in sizes.items() if 0 < size < 2e-4}
    else:
        found = {}
    return {axis: _short(size) for axis, size in found.items()}, "µm" if found else ""


def _one_unit(sizes: dict[str, tuple[Any, str]]) -> tuple[dict[str, float], str]:
    """Return calibrated sizes in one unit: theirs, or µm if they differ."""
    found = {}
    for axis, (size, unit) in sizes.items():
        name = unit_name(str(unit))
        if name and (value := _positive(size)) is not None:
            found[axis] = (value, name)
    units = {unit for _, unit in found.values()}
    if len(units) <= 1:
        return {axis: size for axis, (size, _) in found.items()}, "".join(units)
    known = {
        axis: _short(size * METRES[unit] / METRES["µm"])
        for axis, (size, unit) in found.items()
        if unit in METRES
    }
    return known, "µm" if known else ""


def unit_name(unit: str) -> str:
    r"""Return ``"µm"`` for every name of it, ``""`` for pixels, others unchanged.

    ImageJ escapes what is not ASCII: ``\u00B5m``.
    """
    text = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda m: chr(int(m[1], 16)), unit).strip()
    if text.lower() in UNCALIBRATED:
        return ""
    return "µm" if text.lower() in MICROMETRE else text


def _seconds(value: Any, unit: str) -> float | None:
    found, scale = _positive(value), SECONDS.get(unit_name(unit).replace("\u03bc", "µ"))
    if found is None or scale is None:
        return None
    return found if scale == 1 else _short(found * scale)


def _inverse(rational: Any) -> float:
    """Return size from pixels per unit, 0 if the tag is missing or void."""
    if not isinstance(rational, tuple) or not all(rational):
        return 0.0
    return _short(rational[1] / rational[0])


def _positive(value: Any) -> float | None:
    """Return a size, None where there is none; ImageJ's may be negative."""
    try:
        size = abs(float(value))
    except (TypeError, ValueError):
        return None
    return size if 0 < size < math.inf else None


def _short(size: float) -> float:
    """Return `size` without the noise of its last bits: 0.1 for 0.0999999999999998."""
    return float(f"{size:.12g}")
