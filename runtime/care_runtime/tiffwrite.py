"""Writing TIFF: ImageJ hyperstacks where they fit, OME-TIFF where they do not."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import planes, pyramid, units
from care_runtime.errors import AxesError, ImageError
from care_runtime.files import unwritable, written
from care_runtime.pixels import chunks
from care_runtime.planes import SIDE
from care_runtime.scratch import LARGE, Scratch
from care_runtime.tiffcheck import quiet
from care_runtime.tiffmeta import SPACE, unit_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.form import Form
    from care_runtime.image import Image

SOFTWARE = "care-zoo"
IMAGEJ_BYTES = 2**32 - 2**25
"""Pixels that a classic TIFF file holds, with room for its tags."""

CLASSIC = IMAGEJ_BYTES
"""Bytes above which a file is a BigTIFF."""


def write(
    path: Path,
    image: Image,
    *,
    description: Mapping[str, str] | None = None,
    form: Form | None = None,
) -> None:
    """Write an image as TIFF, with its calibration; no half file is left behind.

    Names that end in ``.ome.tif`` and images that came from OME-TIFF become OME-TIFF;
    others become ImageJ hyperstacks if their type is uint8, uint16 or float32, they
    have no sample axis, are smaller than 4 GB, are neither packed nor in a pyramid, and
    ImageJ can hold their calibration. OME-TIFF is BigTIFF from 4 GB on.
    The same image and description give the same bytes.

    Parameters
    ----------
    path
        File to write or replace; its folder is made if there is none.
    image
        Axes in any order. ImageJ and OME-TIFF do not keep axes of size 1; samples
        become time points. ImageJ does not keep the name of a single channel.
    description
        Provenance, as ``key = value`` lines in ImageJ's Info or OME's Description.
    form
        Compression, none by default, and smaller copies, none by default.

    Raises
    ------
    FileError
        If the file cannot be written.
    AxesError
        If the image has samples beside time points.
    ImageError
        If there are no pixels, or no TIFF holds their type.
    """
    pixels, axes = _storable(image, path)
    name = path.name.lower()
    ome = name.endswith((".ome.tif", ".ome.tiff")) or image.flavour == "ome"
    packing = _packing(form, pixels)
    smaller = form.pyramid or 0 if form else 0
    ome = ome or bool(packing or smaller) or not _fits_imagej(image, pixels)
    if not ome or not axes.endswith("YX"):
        order = [axes.index(x) for x in "TZCYX" if x in axes]
        pixels, axes = pixels.transpose(order), "".join(axes[i] for i in order)
    if isinstance(pixels, np.ndarray) and pixels.nbytes < LARGE:
        pixels = np.ascontiguousarray(pixels)
    notes = "".join(f"{k} = {_line(v)}\n" for k, v in (description or {}).items())
    options = (_ome if ome else _imagej)(image, pixels, axes, notes)
    if smaller or packing:
        options |= packing | _tile(pixels)
    copies = pyramid.levels(pixels, axes, smaller, Scratch(path.parent))
    with written(path) as partial:
        _save(path, partial, pixels, copies, options)


def _save(
    path: Path,
    partial: Path,
    pixels: NDArray[Any],
    copies: Sequence[NDArray[Any]],
    options: dict[str, Any],
) -> None:
    import tifffile

    common: dict[str, Any] = {"photometric": "minisblack"}
    said = {k: v for k, v in options.items() if k in ("metadata", "resolution")}
    kind = {k: v for k, v in options.items() if k in ("imagej", "ome")}
    packing = {k: v for k, v in options.items() if k not in said and k not in kind}
    total = pixels.nbytes + sum(copy.nbytes for copy in copies)
    try:
        with (
            quiet(),
            tifffile.TiffWriter(partial, bigtiff=total > CLASSIC, **kind) as tif,
        ):
            first = {**common, **said, **packing, "software": SOFTWARE}
            if copies:
                first["subifds"] = len(copies)
            tif.write(**planes.data(pixels, packing, samples="imagej" in kind), **first)
            for copy in copies:
                data = planes.data(copy, packing)
                tif.write(**data, subfiletype=1, metadata=None, **common, **packing)
    except OSError as error:
        raise unwritable(path, error) from error


def _packing(form: Form | None, pixels: NDArray[Any]) -> dict[str, Any]:
    """Return tifffile's options for a compression."""
    if form is None or form.compress in (None, "none"):
        return {}
    # Differences of integers pack better; those of floats few programs can read.
    return {"compression": form.compress, "predictor": pixels.dtype.kind in "ui"}


def _tile(pixels: NDArray[Any]) -> dict[str, Any]:
    """Cut large planes into tiles, so that a part is read without the rest."""
    return {"tile": (SIDE, SIDE)} if min(pixels.shape[-2:]) > SIDE else {}


def _storable(image: Image, path: Path) -> tuple[NDArray[Any], str]:
    """Return pixels in a type, and axes in letters, that TIFF files have."""
    pixels, axes = image.pixels, image.axes
    if pixels.size == 0:
        msg = (
            f"expected pixels to write to {path}, found an array of shape "
            f"{pixels.shape}; give an image of at least one pixel"
        )
        raise ImageError(msg)
    if "S" in axes and pixels.shape[axes.index("S")] == 1:
        pixels = pixels[(slice(None),) * axes.index("S") + (0,)]
        axes = axes.replace("S", "")
    if "S" in axes and "T" in axes:
        msg = (
            f"expected an image without samples (S) or without time (T) for {path}, "
            f"found axes {axes}; restore the samples one by one"
        )
        raise AxesError(msg)
    return _typed(pixels, path), axes.replace("S", "T")


def _typed(pixels: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return pixels in a type of OME-TIFF that holds their values."""
    dtype = pixels.dtype
    if dtype.kind == "b":
        return pixels.astype(np.uint8)
    if dtype.kind == "f":
        return pixels.astype(np.float32, copy=False)
    if dtype.kind not in "ui":
        found = str(dtype)
    elif dtype.itemsize < 8:
        return pixels.astype(dtype.newbyteorder("="), copy=False)
    else:
        small = np.dtype(f"{dtype.kind}4")
        ends = [(part.min(), part.max()) for part in chunks(pixels)]
        low, high = min(a for a, _ in ends), max(b for _, b in ends)
        info = np.iinfo(small)
        if info.min <= low and high <= info.max:
            return pixels.astype(small)
        found = f"{dtype} values from {low} to {high}"
    msg = (
        f"expected integers of up to 32 bits or real numbers for {path}, found "
        f"{found}; convert them first"
    )
    raise ImageError(msg)


def _fits_imagej(image: Image, pixels: NDArray[Any]) -> bool:
    """Tell whether an ImageJ hyperstack keeps all there is."""
    sizes = [image.voxel[x] for x in SPACE if x in image.voxel]
    plane = {x for x in "YX" if x in image.voxel}
    return (
        pixels.dtype.name in {"uint8", "uint16", "float32"}
        and pixels.ndim == len(image.axes.replace("S", ""))
        and pixels.nbytes <= IMAGEJ_BYTES
        and (not sizes or plane == {"Y", "X"})
        and all(1e-6 < size < 1e6 for size in sizes)  # resolutions are 32-bit ratios
    )


def _imagej(
    image: Image, pixels: NDArray[Any], axes: str, notes: str
) -> dict[str, Any]:
    """Return tifffile's options for a hyperstack."""
    sizes = dict(zip(axes, pixels.shape, strict=True))
    channels = sizes.get("C", 1)
    mode = "composite" if 1 < channels <= 7 else "grayscale"
    meta: dict[str, Any] = {"axes": f"{axes}S", "mode": mode}
    options: dict[str, Any] = {"imagej": True, "metadata": meta}
    unit = unit_name(image.unit)
    if unit and image.voxel:
        meta["unit"] = {"µm": "um", "in": "inch"}.get(unit, _escaped(unit))
        options["resolution"] = (1 / image.voxel["X"], 1 / image.voxel["Y"])
        if "Z" in image.voxel:
            meta["spacing"] = float(image.voxel["Z"])
    if image.interval:
        meta["finterval"] = float(image.interval)
    if len(image.channels) == channels:
        planes = channels * sizes.get("T", 1) * sizes.get("Z", 1)
        meta["Labels"] = list(image.channels) * (planes // channels)
    if image.look.fps:
        meta["fps"] = float(image.look.fps)
    if image.look.greys and pixels.dtype.kind == "u":
        meta |= {"cf": 0, "vunit": "gray value"}
        meta |= dict(zip(("c0", "c1"), image.look.greys, strict=True))
    if len(image.look.ranges) == 1:
        meta["min"], meta["max"] = image.look.ranges[0]
    elif image.look.ranges:
        meta["Ranges"] = tuple(value for pair in image.look.ranges for value in pair)
    luts = image.look.luts or tuple(_lut(hue) for hue in image.look.colours)
    if luts:
        meta |= {"LUTs": list(luts), "mode": mode if mode == "composite" else "color"}
    if notes:
        meta["Info"] = notes
    return options


def _lut(hue: str) -> NDArray[np.uint8]:
    """Make a lookup table from black to a colour."""
    end = np.frombuffer(bytes.fromhex(hue), np.uint8).astype(np.uint32)
    return (end[:, None] * np.arange(256, dtype=np.uint32) // 255).astype(np.uint8)


def _ome(image: Image, pixels: NDArray[Any], axes: str, notes: str) -> dict[str, Any]:
    """Return tifffile's options for OME-TIFF."""
    meta: dict[str, Any] = {"axes": axes, "Creator": SOFTWARE}
    unit = unit_name(image.unit)
    if unit and unit not in units.OME:
        unit = "reference frame"  # OME's word for a size of which no more is known
    for axis, size in image.voxel.items() if unit else ():
        meta[f"PhysicalSize{axis}"] = float(size)
        meta[f"PhysicalSize{axis}Unit"] = unit
    if image.interval:
        meta |= {"TimeIncrement": float(image.interval), "TimeIncrementUnit": "s"}
    channels = pixels.shape[axes.index("C")] if "C" in axes else 1
    if len(image.channels) == channels:
        meta["Channel"] = {"Name": [_xml(name) for name in image.channels]}
    if len(image.look.hues) == channels:
        signed = [int(f"{hue}FF", 16) for hue in image.look.hues]
        signed = [value - 2**32 if value >= 2**31 else value for value in signed]
        meta["Channel"] = meta.get("Channel", {}) | {"Color": signed}
    if image.name:
        meta["Name"] = _xml(image.name)
    if notes:
        meta["Description"] = _xml(notes)
    content = f"{pixels.dtype} {pixels.shape} {planes.checksum(pixels)} {meta}"
    meta["UUID"] = str(uuid.uuid5(uuid.NAMESPACE_OID, content))  # never of the clock
    return {"ome": True, "metadata": meta}


def _line(value: str) -> str:
    return " ".join(value.splitlines())


def _escaped(text: str) -> str:
    r"""Return ASCII as ImageJ writes it: ``\u00C5`` for Å."""
    return "".join(c if c.isascii() else f"\\u{ord(c):04X}" for c in text)


def _xml(text: str) -> str:
    """Return text without the control characters that XML forbids."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
