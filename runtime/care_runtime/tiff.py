"""TIFF: ImageJ, OME and plain files to images and back."""

from __future__ import annotations

import re
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import files, omeset, series, tiffwindow
from care_runtime.errors import CareError, FileError
from care_runtime.naming import name
from care_runtime.omecheck import require_modest
from care_runtime.scratch import LARGE
from care_runtime.source import Source, require_real
from care_runtime.tiffcheck import quiet, require_honest, require_line, require_whole
from care_runtime.tiffmeta import calibration
from care_runtime.tiffwrite import write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.image import Image
    from care_runtime.output import Empty
    from care_runtime.source import Window

__all__ = ["read", "source", "write"]


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
    return source(path, axes, prefer_z=prefer_z).read()


def source(
    path: Path,
    axes: str | None = None,
    *,
    prefer_z: bool = False,
    series: int | str | None = None,
) -> Source:
    """Look into a TIFF file, and read no pixels yet.

    Parameters
    ----------
    path, axes, prefer_z
        As in `read`, which has the errors as well.
    series
        Number of the image in the file, from 0, or its name; None for the first.

    Raises
    ------
    OptionError
        If there is no such image.
    """
    with _explained(path), _opened(path) as (tif, xml):
        require_line(tif, path)
        require_modest(tif.ome_metadata, path)
        found, letters = _series(tif, path, series)
        for each in found:
            require_honest(tif, each, path)
            require_whole(tif, each, path)
            tiffwindow.prepare(each)
        first, numbers = found[0], {id(s): i for i, s in enumerate(tif.series)}
        stack = letters != first.axes
        shape = (len(found), *first.shape) if stack else tuple(first.shape)
        naming = name(letters, shape, str(path), axes, prefer_z=prefer_z)
        sizes = naming.sizes
        channels = sizes[naming.axes.index("C")] if "C" in naming.axes else 1
        said = calibration(tif, first, channels, path)
        dtype = require_real(first.dtype, str(path))

    def load(window: Window, empty: Empty) -> NDArray[Any]:
        raw = naming.array_window(window)
        with _explained(path):
            if not stack:
                return naming.image(part(first, raw, empty), window)
            chosen = [part(each, raw[1:], np.empty) for each in found[raw[0]]]
            return naming.image(np.stack(chosen), window)

    def part(series: Any, window: Window, empty: Empty) -> NDArray[Any]:
        number = numbers[id(series)]
        return tiffwindow.part(series, window, empty, lambda: _whole(path, number, xml))

    inner = tiffwindow.grid(first)
    grid = naming.grid((1, *inner) if stack else inner)
    return Source(str(path), naming.axes, sizes, dtype, load, said, grid=grid)


def _is_thumbnail(series: Any, first: Any) -> bool:
    """Tell whether an image is called a smaller copy, and is smaller than the first."""
    page, large = series.keyframe, first.keyframe
    smaller = (
        page.imagewidth < large.imagewidth and page.imagelength < large.imagelength
    )
    return bool(page.is_reduced and smaller)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, str | None]]:
    """Open a file, with the OME-XML of its companion if it has one."""
    with omeset.opened(path) as tif:
        xml = omeset.companion(tif, path)
        if xml is None:
            yield tif, None
            return
    with omeset.opened(path, xml) as tif:
        yield tif, xml


def _whole(path: Path, number: int, xml: str | None) -> NDArray[Any]:
    """Decode a series, with all threads."""
    with omeset.opened(path, xml) as tif:
        image = tif.series[number]
        tiffwindow.prepare(image)
        # Large images are mapped, from a file that vanishes.
        pixels: NDArray[Any] = image.asarray(
            out="memmap" if image.nbytes >= LARGE else None
        )
        if pixels.shape != image.shape:
            msg = (
                f"expected an array of shape {image.shape} in {path}, found "
                f"{pixels.shape}; copy it again from where it was recorded"
            )
            raise FileError(msg)
        return pixels


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises into an error of one line."""
    try:
        with quiet():
            yield
    except (CareError, MemoryError):
        raise
    except Exception as error:  # decoders raise anything
        msg = f"expected a whole TIFF file in {path}, found {_found(path, error)}"
        raise FileError(msg) from error


def _found(path: Path, error: Exception) -> str:
    """Return what is wrong with a file, and what to do."""
    if files.is_folder(path):
        return "a folder; name a file in it"
    if isinstance(error, OSError) and error.errno in files.ABSENT:
        return files.absent(path)
    if isinstance(error, OSError) and error.strerror:
        return f"that it cannot be opened ({error.strerror}); check its permissions"
    lines = str(error).splitlines() or [type(error).__name__]
    if re.match("'Tiff\\w+' object has no attribute", lines[0]):
        return (
            f"that tifffile {version('tifffile')} cannot read it ({lines[0][:120]}); "
            "install another version of tifffile, and report it"
        )
    if lines[0].startswith("not a TIFF file: header=b''"):
        return "an empty file; copy it again from where it was recorded"
    if lines[0].startswith("not a TIFF file"):
        return "another kind of file; save it as TIFF, or OME-TIFF, from ImageJ"
    return (
        f"a damaged one ({lines[0][:120]}); copy it again from where it was recorded, "
        "or open it in ImageJ and save it as TIFF"
    )


def _series(tif: Any, path: Path, asked: int | str | None) -> tuple[Sequence[Any], str]:
    """Choose the series to read: one, or those that are pages of one plain stack."""
    found = omeset.here(tif.series, path) if tif.is_ome else list(tif.series)
    first, *others = found
    others = [each for each in others if not _is_thumbnail(each, first)]
    same = [s for s in others if (s.shape, s.dtype) == (first.shape, first.dtype)]
    stack = bool(others) and same == others and first.kind in ("generic", "uniform")
    if asked is not None:
        names = [each.name for each in tif.series]
        chosen = tif.series[series.chosen(names, path, asked)]
        return [chosen], chosen.axes
    if stack:
        return tif.series, f"I{first.axes}"
    series.first(1 + len(others), path)
    return [first], first.axes
