"""Reading: any file or address as a source, by what it is called and how it begins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from care_runtime import files, npy, tiff, vendor
from care_runtime.errors import FileError, OptionError
from care_runtime.vendor import PLUGINS

if TYPE_CHECKING:
    from care_runtime.image import Image
    from care_runtime.output import Empty
    from care_runtime.selection import Selection
    from care_runtime.source import Source

Place = Path | str
"""A file or folder, ``Path("-")``, or an address such as ``s3://bucket/image.zarr``."""

TIFF, NPY, ZARR = (".tif", ".tiff"), (".npy",), (".zarr",)

TIFFS = (".lsm", ".stk", ".btf", ".tf2", ".tf8")
"""Names of TIFF files of single programs, or of large ones; they are read alone."""

SUFFIXES = (*TIFF, *TIFFS, *NPY, *ZARR, *PLUGINS)
"""Names of images, as they are looked for in folders."""

BEGINNINGS = {
    b"\x93NUMPY": "npy",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
    b"II+\x00": "tiff",
    b"MM\x00+": "tiff",
}


def place(name: str) -> Place:
    """Read what a person wrote: an address stays one, all else is a path.

    Raises
    ------
    OptionError
        If it is empty: as a path, that would be the current folder.
    """
    if not name:
        msg = "expected the name of an image or folder, found an empty one: name one"
        raise OptionError(msg)
    return name if "://" in name else Path(name)


def local(name: str) -> Path:
    """Read where results go, which is no address.

    Raises
    ------
    OptionError
        If it is one, or empty.
    """
    if "://" in name:
        msg = (
            f"expected a file or folder of this machine, found the address {name}: "
            "results are written to disks alone; copy them from there"
        )
        raise OptionError(msg)
    return Path(place(name))


def kind(where: Place) -> str:
    """Tell how an image is read: ``tiff``, ``npy``, ``zarr`` or ``vendor``.

    How a file begins counts more than its name. What is neither known by its name nor
    by its beginning is left to the TIFF reader, which says what it is not.
    """
    if where == npy.PIPE:
        return "npy"
    if isinstance(where, str):
        return "zarr"
    suffix = where.suffix.lower()
    if files.is_folder(where):
        marks = (".zattrs", ".zgroup", ".zarray", "zarr.json")
        found = suffix in ZARR or any(files.exists(where / mark) for mark in marks)
        return "zarr" if found else "tiff"
    if suffix in PLUGINS:
        return "vendor"
    try:
        with where.open("rb") as file:
            start = file.read(8)
    except OSError:
        start = b""
    for beginning, name in BEGINNINGS.items():
        if start.startswith(beginning):
            return name
    return {".npy": "npy", ".zarr": "zarr"}.get(suffix, "tiff")


def source(
    where: Place,
    axes: str | None = None,
    *,
    series: int | str | None = None,
    prefer_z: bool = False,
) -> Source:
    """Look into an image of any kind, and read no pixels yet.

    Parameters
    ----------
    where
        File, folder or address; ``-`` is an npy file from standard input.
    axes
        Letters of ``STCZYX``, one for each dimension, in place of the file's.
    series
        Number or name of the image, of a file that holds several.
    prefer_z
        Whether an axis that nobody named is Z rather than T.

    Raises
    ------
    FileError
        If it cannot be read, or its reader is not installed.
    AxesError, ImageError, OptionError
        If its axes, pixels or series are not what is asked for.
    """
    if isinstance(where, str):
        _require_zarr(where)
    found = kind(where)
    if found == "npy" and isinstance(where, Path):
        if series not in (None, 0, "0"):
            msg = f"expected no series, or 0, for {where}, found {series!r}"
            raise OptionError(msg)
        return npy.source(where, axes, prefer_z=prefer_z)
    if found == "zarr":
        from care_runtime import zarrread

        return zarrread.source(where, axes, series=series, prefer_z=prefer_z)
    if found == "vendor" and isinstance(where, Path):
        return vendor.source(where, axes, series=series, prefer_z=prefer_z)
    return tiff.source(Path(where), axes, series=series, prefer_z=prefer_z)


def read(
    where: Place,
    axes: str | None = None,
    *,
    selection: Selection | None = None,
    prefer_z: bool = False,
    empty: Empty = np.empty,
) -> Image:
    """Read an image of any kind, or a part of it.

    Parameters
    ----------
    where, axes, prefer_z
        As in `source`, which has the errors as well.
    selection
        What to read of it, None for everything.
    empty
        Makes the array, unless it is a view of the file.
    """
    if selection is None:
        return source(where, axes, prefer_z=prefer_z).read(empty)
    found = source(where, axes, series=selection.series, prefer_z=prefer_z)
    return selection.of(found).read(empty)


def _require_zarr(address: str) -> None:
    """Refuse addresses of files that cannot be read piece by piece."""
    name = address.split("?")[0].rstrip("/").lower()
    if name.endswith((*TIFF, *TIFFS, *NPY, *PLUGINS)):
        msg = (
            f"expected an OME-Zarr at {address}, the only kind that is read from an "
            "address, found another name: fetch the file first"
        )
        raise FileError(msg)
