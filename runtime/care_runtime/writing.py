"""Writing: an image in the kind of file that its name says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from care_runtime import axes, files, npy, streams, tiff
from care_runtime.errors import OptionError
from care_runtime.form import Form
from care_runtime.reading import NPY, TIFF, TIFFS, ZARR
from care_runtime.source import require_real
from care_runtime.vendor import PLUGINS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from care_runtime.image import Image


WRITTEN = (*TIFF, *NPY, *ZARR)
"""Names of images that can be written."""

OTHERS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".h5", ".hdf5", ".mrc", ".npz")
UNWRITTEN = (*PLUGINS, *TIFFS, *OTHERS)
"""Endings of images that are never written; a folder is hardly called so."""


def files_of(path: Path) -> list[Path]:
    """List the files that an image of some name is written to."""
    return [npy.beside(path), path] if path.suffix.lower() == ".npy" else [path]


def require_place(path: Path, form: Form | None = None) -> None:
    """Refuse a place where no image can be made, before work is done for it.

    Raises
    ------
    FileError
        As `files.require_place`; an OME-Zarr may replace another one. Standard output
        has to be open.
    OptionError
        If the kind of file has no such form.
    """
    _require_form(path, form or Form())
    if path == npy.PIPE:
        streams.taken()
        return
    if path.suffix.lower() == ".zarr":
        from care_runtime import zarrwrite

        zarrwrite.require_place(path)
    else:
        files.require_place(path)


def holds(path: Path, letters: str) -> bool:
    """Tell whether a kind of file holds samples beside time points."""
    both = {"S", "T"} <= set(letters)
    return not both or path == npy.PIPE or path.suffix.lower() == ".npy"


def _require_form(path: Path, form: Form) -> None:
    if form != Form() and (path == npy.PIPE or path.suffix.lower() == ".npy"):
        msg = f"expected no compression and pyramid for {path}: npy has neither"
        raise OptionError(msg)


def write(
    path: Path,
    image: Image,
    *,
    description: Mapping[str, str] | None = None,
    form: Form | None = None,
) -> None:
    """Write an image as TIFF, OME-Zarr or npy, by the suffix of its name.

    Parameters
    ----------
    path
        File to write or replace; ``-`` is npy to standard output.
    image
        Axes in any order.
    description
        Provenance.
    form
        Compression and pyramid.

    Raises
    ------
    FileError
        If the file cannot be written, or its writer is not installed.
    AxesError, ImageError, OptionError
        If the kind of file does not hold such an image, or has no such form.
    """
    form, description = form or Form(), description or {}
    suffix = path.suffix.lower()
    if suffix in UNWRITTEN:
        msg = (
            f"expected a name that ends in {', '.join(WRITTEN)}, found {path}: images "
            f"of the kind {suffix} are not written"
        )
        raise OptionError(msg)
    _require_form(path, form)
    image = replace(image, axes=axes.check(image.axes, image.pixels.shape))
    require_real(image.pixels.dtype, f"an image for {path}")
    if path == npy.PIPE or suffix == ".npy":
        npy.write(path, image, description=description)
    elif suffix == ".zarr":
        from care_runtime import zarrwrite

        zarrwrite.write(path, image, description=description, form=form)
    else:
        tiff.write(path, image, description=description, form=form)
