"""TIFF: ImageJ, OME and plain files to images and back."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import (
    AxesError,
    CareError,
    FileError,
    ImageError,
    SeriesWarning,
)
from care_runtime.image import AXES, Image
from care_runtime.scratch import LARGE
from care_runtime.tiffcheck import quiet, require_whole
from care_runtime.tiffmeta import calibration
from care_runtime.tiffwrite import write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read", "write"]


def read(path: Path, axes: str | None = None, *, prefer_z: bool = False) -> Image:
    """Read the first image of a TIFF file with its axes and calibration.

    Parameters
    ----------
    path
        ImageJ hyperstack, OME-TIFF or plain TIFF, of any compression that imagecodecs
        decodes.
    axes
        Distinct letters of ``STCZYX``, one for each dimension, to be used instead of
        the file's. Dimensions of size 1 need no letter.
    prefer_z
        Whether an axis that the file does not name is Z rather than T, where both are
        free. RGB samples always are channels.

    Returns
    -------
    Image
        Pixels in the file's own type and order of axes; 1-bit pixels are uint8.

    Raises
    ------
    FileError
        If the file is missing, not a TIFF, damaged or incomplete.
    AxesError
        If `axes` do not fit the array, or no axes can be found.
    ImageError
        If the pixels are complex.
    """
    try:
        with quiet():
            return _read(path, axes, prefer_z=prefer_z)
    except (CareError, MemoryError):
        raise
    except Exception as error:  # decoders raise anything
        msg = f"expected a whole TIFF file in {path}, found {_found(path, error)}"
        raise FileError(msg) from error


def _found(path: Path, error: Exception) -> str:
    """Return what is wrong with a file, and what to do."""
    if path.is_dir():
        return "a folder; name a file in it"
    if isinstance(error, FileNotFoundError):
        return "no such file; check its name"
    if isinstance(error, OSError) and error.strerror:
        return f"that it cannot be opened ({error.strerror}); check its permissions"
    lines = str(error).splitlines() or [type(error).__name__]
    if lines[0].startswith("not a TIFF file"):
        return "another kind of file; save it as TIFF, or OME-TIFF, from ImageJ"
    return (
        f"a damaged one ({lines[0][:120]}); copy it again from where it was recorded, "
        "or open it in ImageJ and save it as TIFF"
    )


def _read(path: Path, axes: str | None, *, prefer_z: bool) -> Image:
    import tifffile

    with tifffile.TiffFile(path) as tif:
        series = tif.series[0]
        pixels, found = _pages(tif, path)
        if axes is None:
            pixels, named = _name(pixels, found, path, prefer_z=prefer_z)
        else:
            pixels, named = _rename(pixels, found, axes, path)
        channels = pixels.shape[named.index("C")] if "C" in named else 1
        said = calibration(tif, series.kind, channels)
    return Image(
        pixels=pixels,
        axes=named,
        voxel=said.voxel,
        unit=said.unit,
        interval=said.interval,
        channels=said.channels,
        flavour=said.flavour,
    )


def _pages(tif: Any, path: Path) -> tuple[NDArray[Any], str]:
    """Read the first series, with those that are pages of the same plain stack."""
    first, *others = tif.series
    same = [s for s in others if (s.shape, s.dtype) == (first.shape, first.dtype)]
    stack = bool(others) and same == others and first.kind in ("generic", "uniform")
    arrays = []
    for series in tif.series if stack else [first]:
        require_whole(tif, series, path)
        # Large images are mapped: from the file itself, or from one that vanishes.
        out = "memmap" if series.nbytes >= LARGE else None
        arrays.append(_native(series.asarray(out=out), path))
        if arrays[-1].shape != series.shape:
            msg = (
                f"expected an array of shape {series.shape} in {path}, found "
                f"{arrays[-1].shape}; copy it again from where it was recorded"
            )
            raise FileError(msg)
    if stack:
        return np.stack(arrays), f"I{first.axes}"
    if others:
        msg = f"{path} holds {len(others) + 1} images, of which only the first is read"
        warnings.warn(msg, SeriesWarning, stacklevel=5)
    return arrays[0], first.axes


def _native(pixels: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return pixels in the byte order of this machine, bits as uint8."""
    if pixels.dtype.kind == "b":
        return pixels.astype(np.uint8)
    if pixels.dtype.kind not in "uif":
        msg = (
            f"expected integers or real numbers in {path}, found {pixels.dtype}; save "
            "their magnitude, or one part, as 32-bit"
        )
        raise ImageError(msg)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _name(
    pixels: NDArray[Any], axes: str, path: Path, *, prefer_z: bool
) -> tuple[NDArray[Any], str]:
    """Return pixels, and tifffile's axes in letters of ``STCZYX``."""
    kept = [i for i, x in enumerate(axes) if x in "TCZYXS" or pixels.shape[i] != 1]
    pixels = pixels.reshape([pixels.shape[i] for i in kept])
    pixels, axes = _merge_samples(pixels, "".join(axes[i] for i in kept))
    free = [x for x in ("ZTS" if prefer_z else "TZS") if x not in axes]
    unknown = [x for x in axes if x not in "TCZYX"]
    if len(unknown) > len(free) or not {"Y", "X"} <= set(axes):
        msg = (
            f"expected an image of axes among {AXES} in {path}, found an array of "
            f"shape {pixels.shape} that names its axes {axes}; name them yourself, one "
            "letter for each dimension"
        )
        raise AxesError(msg)
    return pixels, "".join(x if x in "TCZYX" else free.pop(0) for x in axes)


def _merge_samples(pixels: NDArray[Any], axes: str) -> tuple[NDArray[Any], str]:
    """Return pixels and axes with tifffile's S, samples of a pixel, as channels."""
    if "S" not in axes:
        return pixels, axes
    if "C" not in axes:
        return pixels, axes.replace("S", "C")
    rest = axes.replace("S", "")
    at = rest.index("C")
    pixels = np.moveaxis(pixels, axes.index("S"), at + 1)
    shape = pixels.shape
    return pixels.reshape(*shape[:at], -1, *shape[at + 2 :]), rest


def _rename(
    pixels: NDArray[Any], axes: str, asked: str, path: Path
) -> tuple[NDArray[Any], str]:
    """Return pixels without more single dimensions than `asked` leaves."""
    named = asked.upper()
    if len(set(named)) < len(named) or not set("YX") <= set(named) <= set(AXES):
        msg = (
            f"expected axes of distinct letters of {AXES}, Y and X among them, found "
            f"{asked!r}; {path} holds an array of shape {pixels.shape} that names its "
            f"axes {axes}: give one letter for each dimension"
        )
        raise AxesError(msg)
    squeezed = [
        n for x, n in zip(axes, pixels.shape, strict=True) if n > 1 or x in "YX"
    ]
    for shape in (list(pixels.shape), squeezed):
        if len(shape) == len(named):
            return pixels.reshape(shape), named
    msg = (
        f"expected {pixels.ndim} axes, found {asked!r}; {path} holds an array of shape "
        f"{pixels.shape} that names its axes {axes}: give one letter for each dimension"
    )
    raise AxesError(msg)
