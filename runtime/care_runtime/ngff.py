"""NGFF: what the attributes of an OME-Zarr say of its image, read and written."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from care_runtime import units
from care_runtime.errors import FileError
from care_runtime.image import Calibration, Look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from care_runtime.image import Flavour, Image

UNITS = {
    "kilometer": "km",
    "meter": "m",
    "decimeter": "dm",
    "inch": "in",
    "centimeter": "cm",
    "millimeter": "mm",
    "micrometer": "µm",
    "nanometer": "nm",
    "angstrom": "Å",
    "picometer": "pm",
}
HUES = ("FF0000", "00FF00", "0000FF", "FFFFFF", "00FFFF", "FF00FF", "FFFF00")
"""Colours of channels that have none, as ImageJ gives them."""

UNSAID = "a.u."
"""Unit of sizes that have none: their ratio still counts."""

UNNAMED = ("t", "c", "z", "y", "x")
"""Axes of the first versions, which did not name them."""


@dataclass(frozen=True, slots=True)
class Multiscale:
    """An image of an OME-Zarr.

    Parameters
    ----------
    path
        Of its array of full size.
    axes
        Letters of ``TCZYX``, ``Q`` for axes that are none of them.
    calibration
        What is said of it.
    """

    path: str
    axes: str
    calibration: Calibration


def multiscales(attributes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Find the images of a group: 0.5 has them under ``ome``, older ones do not."""
    ome = attributes.get("ome")
    found = (ome if isinstance(ome, dict) else attributes).get("multiscales", [])
    return found if isinstance(found, list) else []


def parse(attributes: Mapping[str, Any], number: int, where: str) -> Multiscale:
    """Read what the attributes say of one of their images.

    Raises
    ------
    FileError
        If they break the format.
    """
    modern = isinstance(attributes.get("ome"), dict)
    try:
        image = multiscales(attributes)[number]
        first = image["datasets"][0]
        axes = [_axis(axis) for axis in image.get("axes", UNNAMED)]
        scale, moved = _placed(image, first, len(axes))
        omero = (attributes["ome"] if modern else attributes).get("omero") or {}
        letters = "".join(letter for letter, _ in axes)
        sized = dict(zip(letters, scale, strict=True))
        voxel, unit = _voxel({a: (sized[a], u) for a, u in axes if a in "ZYX"})
        places = dict(zip(letters, moved, strict=True))
        # In the unit of the sizes, which may have been turned into another.
        placed = {a: places[a] * size / sized[a] for a, size in voxel.items()}
        origin = {a: units.short(x) for a, x in placed.items() if x}
        flavour: Flavour = "zarr-0.5" if modern else "zarr-0.4"
        names, look = _channels(omero.get("channels") or [])
        interval = _interval(sized.get("T", 0), dict(axes).get("T", ""))
        path = str(first["path"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        msg = (
            f"expected an OME-Zarr image in {where}, found attributes that break the "
            f"format ({type(error).__name__}: {error}); write it again"
        )
        raise FileError(msg) from error
    name = str(image.get("name", "") or "")
    said = Calibration(flavour, voxel, unit, interval, names, name, look, origin)
    return Multiscale(path, letters, said)


def of_count(said: Calibration, channels: int) -> Calibration:
    """Leave out what is not said of as many channels as there are."""
    names = said.channels if len(said.channels) == channels else ()
    return replace(said, channels=names, look=said.look.of_count(channels))


def _axis(axis: Any) -> tuple[str, str]:
    """Return the letter of an axis and its unit."""
    if isinstance(axis, str):
        axis = {"name": axis}
    name = str(axis["name"]).upper()
    kind = {"time": "T", "channel": "C"}.get(str(axis.get("type")), name)
    return (kind if kind in tuple("TCZYX") else "Q"), str(axis.get("unit") or "")


def _placed(
    image: Mapping[str, Any], first: Mapping[str, Any], count: int
) -> tuple[list[float], list[float]]:
    """Say how large pixels are, and where the first one lies, by array and image."""
    scale, moved = [1.0] * count, [0.0] * count
    for step in (
        *first.get("coordinateTransformations", ()),
        *image.get("coordinateTransformations", ()),
    ):
        if step["type"] == "scale":
            factors = [float(factor) for factor in step["scale"]]
            scale = [a * b for a, b in zip(scale, factors, strict=True)]
            moved = [a * b for a, b in zip(moved, factors, strict=True)]
        elif step["type"] == "translation":
            moved = [a + b for a, b in zip(moved, _ways(step, count), strict=True)]
    return scale, moved


def _ways(step: Mapping[str, Any], count: int) -> list[float]:
    """Read a translation; one that breaks the format is none."""
    try:
        found = [float(way) for way in step.get("translation") or ()]
    except (TypeError, ValueError):
        found = []
    whole = len(found) == count and all(math.isfinite(way) for way in found)
    return found if whole else [0.0] * count


def _voxel(sizes: Mapping[str, tuple[float, str]]) -> tuple[dict[str, float], str]:
    """Return calibrated sizes in one unit: theirs, or µm if they differ."""
    given = {
        axis: (size, units.length(unit))
        for axis, (size, unit) in sizes.items()
        if 0 < size < float("inf")
    }
    found = {axis: each for axis, each in given.items() if each[1]}
    if not found:  # scripts leave units out, and have 1 for what nobody calibrated
        plain = {axis: size for axis, (size, _) in given.items()}
        return (plain, UNSAID) if set(plain.values()) - {1.0} else ({}, "")
    said = {unit for _, unit in found.values()}
    if len(said) == 1:
        return {axis: size for axis, (size, _) in found.items()}, said.pop()
    known = {
        axis: units.short(size * units.METRES[unit] / 1e-6)
        for axis, (size, unit) in found.items()
        if unit in units.METRES
    }
    return known, "µm" if known else ""


def _interval(size: float, unit: str) -> float | None:
    # Scales without a unit are those of scripts; 1 is what they write of no time.
    seconds = units.seconds(unit) if unit or size == 1 else 1.0
    if seconds is None or not 0 < size < float("inf"):
        return None
    return units.short(size * seconds) if seconds != 1 else size


def _channels(said: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], Look]:
    """Return names, and colours and ranges."""
    names = tuple(str(channel.get("label") or "") for channel in said)
    hues = [str(channel.get("color", "")).lstrip("#").upper() for channel in said]
    windows = [channel.get("window") or {} for channel in said]
    ends = [(window.get("start"), window.get("end")) for window in windows]
    ranges = [
        (float(a), float(b))
        for a, b in ends
        if isinstance(a, int | float) and isinstance(b, int | float)
    ]
    look = Look(
        tuple(hues) if all(re.fullmatch("[0-9A-F]{6}", hue) for hue in hues) else (),
        tuple(ranges) if len(ranges) == len(said) else (),
    )
    return names if any(names) else (), look


def attributes(
    image: Image,
    axes: str,
    levels: Sequence[Sequence[int]],
    extremes: Sequence[tuple[float, float]],
    limits: tuple[float, float] | None,
) -> dict[str, Any]:
    """Write what there is to say of an image.

    Parameters
    ----------
    image
        The image.
    axes
        Of its arrays.
    levels
        Shape of each array, the largest first.
    extremes
        Least and greatest value of each channel.
    limits
        Least and greatest value of an integer type, None for others.

    Returns
    -------
    dict
        ``multiscales`` and ``omero``, without a version.
    """
    known = {short: long for long, short in UNITS.items()}.get(image.unit)
    sizes = dict.fromkeys(axes, 1.0)
    if image.unit:  # what OME-Zarr has no word for is a scale without a unit
        sizes |= {a: float(v) for a, v in image.voxel.items() if a in axes}
    if image.interval and "T" in axes:
        sizes["T"] = float(image.interval)
    described = []
    for axis in axes:
        kind = {"T": "time", "C": "channel"}.get(axis, "space")
        entry = {"name": axis.lower(), "type": kind}
        if kind == "space" and known and axis in image.voxel:
            entry["unit"] = known
        elif kind == "time" and image.interval:
            entry["unit"] = "second"
        described.append(entry)
    datasets = [
        {
            "path": str(number),
            "coordinateTransformations": _transformations(
                axes, sizes, image.origin, number
            ),
        }
        for number in range(len(levels))
    ]
    scales = {"axes": described, "datasets": datasets, "type": "mean"}
    if image.name:
        scales["name"] = image.name
    return {"multiscales": [scales], "omero": _omero(image, extremes, limits)}


def _transformations(
    axes: str, sizes: Mapping[str, float], origin: Mapping[str, float], number: int
) -> list[dict[str, Any]]:
    """Place a level: a pixel is an average, so that its centre lies between others."""
    times = {a: 2.0**number if a in "YX" else 1.0 for a in axes}
    scale = [sizes[a] * times[a] for a in axes]
    steps: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    moved = [float(origin.get(a, 0)) + sizes[a] * (times[a] - 1) / 2 for a in axes]
    if any(moved) or number:
        steps.append({"type": "translation", "translation": moved})
    return steps


def _omero(
    image: Image,
    extremes: Sequence[tuple[float, float]],
    limits: tuple[float, float] | None,
) -> dict[str, Any]:
    count, look = len(extremes), image.look.of_count(len(extremes))
    hues = look.hues or (HUES if count > 1 else ("FFFFFF",))
    names = image.channels if len(image.channels) == count else [""] * count
    channels = []
    for number, (found, name) in enumerate(zip(extremes, names, strict=True)):
        low, high = limits or found
        start, end = look.ranges[number] if look.ranges else found
        window = {"min": low, "max": high, "start": start, "end": end}
        hue = hues[number % len(hues)]
        channels.append({"label": name, "color": hue, "active": True, "window": window})
    return {"channels": channels}
