"""Writing OME-Zarr: multiscales of version 0.5, or 0.4 where the source is that."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import files, ngff, pyramid
from care_runtime.axes import canonical
from care_runtime.errors import AxesError, FileError, ImageError
from care_runtime.source import blocks
from care_runtime.zarrread import required

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.form import Form
    from care_runtime.image import Image
    from care_runtime.source import Window

SMALLEST = 256
"""Pixels along a side below which there is no smaller copy."""

CHUNK = {"Z": 16, "Y": 256, "X": 256}
FLAT = {"Y": 512, "X": 512}
"""Pixels of a chunk of a volume, and of a plane."""

MARKS = (".zgroup", ".zattrs", "zarr.json")


def require_place(path: Path) -> None:
    """Refuse a place where no OME-Zarr can be made, before work is done for it.

    Raises
    ------
    FileError
        If it is taken by what is no OME-Zarr, lies in a file or may not be written,
        or if zarr is not installed.
    """
    required(path)
    if path.is_dir():
        if any(path.iterdir()) and not any((path / mark).exists() for mark in MARKS):
            reason = "a folder that is no OME-Zarr is there, and is not replaced"
            raise files.unwritable(path, IsADirectoryError(0, reason))
        files.require_place(path / MARKS[0])
        return
    if path.exists():
        raise files.unwritable(path, FileExistsError(0, "a file of that name is there"))
    files.require_place(path)


def write(
    path: Path, image: Image, *, description: Mapping[str, str], form: Form
) -> None:
    """Write an image as OME-Zarr; no half one is left behind.

    Parameters
    ----------
    path
        Folder to write or replace.
    image
        Axes in any order; the file has them as TCZYX. Samples become time points.
    description
        Provenance, under ``care-zoo`` in the attributes.
    form
        zstd unless said otherwise; copies down to `SMALLEST` pixels likewise.

    Raises
    ------
    FileError
        If it cannot be written, or zarr is not installed.
    AxesError
        If the image has samples beside time points.
    ImageError
        If there are no pixels, or they are no real numbers.
    """
    with begun(path, image, form) as made:
        extremes = _fill(made.arrays[0], made.pixels, made.axes)
        for larger, smaller in pairwise(made.arrays):
            for block in blocks_of(smaller):
                halve(larger, smaller, made.axes, block)
        made.describe(extremes, description)


@dataclass(frozen=True, slots=True)
class Begun:
    """An OME-Zarr without pixels, which has no final name yet.

    Parameters
    ----------
    image
        What it is made of.
    pixels, axes
        Of the image, in the order of the file; dask arrays stay what they are.
    group, arrays
        Of zarr, the largest array first.
    version
        Of the zarr format.
    """

    image: Image
    pixels: NDArray[Any]
    axes: str
    group: Any
    arrays: Sequence[Any]
    version: int

    def describe(
        self, extremes: Sequence[tuple[float, float]], description: Mapping[str, str]
    ) -> None:
        """Say what it is, once all pixels are there.

        Parameters
        ----------
        extremes
            Least and greatest value of each channel.
        description
            Provenance.
        """
        dtype = self.pixels.dtype
        info = np.iinfo(dtype) if dtype.kind in "ui" else None
        limits = (float(info.min), float(info.max)) if info else None
        shapes = [array.shape for array in self.arrays]
        said = ngff.attributes(self.image, self.axes, shapes, extremes, limits)
        self.group.attrs.update(_versioned(said, self.version, description))


@contextmanager
def begun(path: Path, image: Image, form: Form) -> Iterator[Begun]:
    """Make the arrays of an image, to be filled; then give them their final name.

    Parameters
    ----------
    path, image, form
        As in `write`, which has the errors as well.
    """
    zarr = required(path)
    pixels, axes = _storable(image, path)
    version = 2 if image.flavour == "zarr-0.4" else 3
    require_place(path)
    shapes = _shapes(pixels.shape, axes, form)
    try:
        with files.written_folder(path) as partial:
            group = zarr.open_group(partial, mode="w", zarr_format=version)
            arrays = _arrays(group, shapes, axes, pixels.dtype, form, version)
            yield Begun(image, pixels, axes, group, arrays, version)
    except FileError:
        raise
    except OSError as error:
        raise files.unwritable(path, error) from error


def _storable(image: Image, path: Path) -> tuple[NDArray[Any], str]:
    """View the pixels as TCZYX, without the axes that the image lacks."""
    if image.pixels.size == 0 or image.pixels.dtype.kind not in "buif":
        msg = (
            f"expected integers or real numbers to write to {path}, found an array of "
            f"{image.pixels.dtype} of shape {image.pixels.shape}"
        )
        raise ImageError(msg)
    sizes = dict(zip(image.axes, image.pixels.shape, strict=True))
    if "S" in sizes and "T" in sizes and sizes["S"] > 1:
        msg = (
            f"expected an image without samples (S) or without time (T) for {path}, "
            f"found axes {image.axes}; restore the samples one by one"
        )
        raise AxesError(msg)
    view = canonical(image.pixels, image.axes)
    view = view[:, 0] if "T" not in sizes else view[0]
    said = image.axes if "T" in sizes else image.axes.replace("S", "T")
    axes = "".join(a for a in "TCZYX" if a in said)
    view = view[tuple(slice(None) if a in axes else 0 for a in "TCZYX")]
    return (view.astype(np.uint8) if view.dtype.kind == "b" else view), axes


def _shapes(shape: Sequence[int], axes: str, form: Form) -> list[tuple[int, ...]]:
    """Decide the sizes of all copies."""
    count = form.pyramid
    if count is None:
        count = max(0, math.ceil(math.log2(max(shape[-2:]) / SMALLEST)))
    return [tuple(shape), *pyramid.sizes(shape, axes, count)]


def _arrays(
    group: Any,
    shapes: Sequence[tuple[int, ...]],
    axes: str,
    dtype: np.dtype[Any],
    form: Form,
    version: int,
) -> list[Any]:
    found = []
    for number, shape in enumerate(shapes):
        side = CHUNK if dict(zip(axes, shape, strict=True)).get("Z", 1) > 1 else FLAT
        chunks = tuple(min(n, side.get(a, 1)) for a, n in zip(axes, shape, strict=True))
        options: dict[str, Any] = {"compressors": _codec(form.compress, version)}
        if version == 3:
            options["dimension_names"] = list(axes.lower())
        else:
            options["chunk_key_encoding"] = {"name": "v2", "separator": "/"}
        # By size: zarr knows no long long, as tifffile reads it, of the same bytes.
        native = np.dtype(f"{dtype.kind}{dtype.itemsize}")
        array = group.create_array(
            str(number), shape=shape, chunks=chunks, dtype=native, **options
        )
        found.append(array)
    return found


def _codec(compress: str | None, version: int) -> Any:
    """Return zarr's codec of a name; zstd is that of version 0.5 by default."""
    if compress == "none":
        return None
    if version == 2:
        import numcodecs

        gzip = compress == "zlib"
        return numcodecs.Zlib(6) if gzip else numcodecs.Blosc("zstd", 5, 1)
    from zarr.codecs import ZstdCodec

    from care_runtime.zarrpack import Gzip

    return Gzip(level=6) if compress == "zlib" else ZstdCodec(level=3)


def _fill(array: Any, pixels: NDArray[Any], axes: str) -> list[tuple[float, float]]:
    """Write all pixels, and find the extremes of each channel."""
    at = axes.find("C")
    count = pixels.shape[at] if at >= 0 else 1
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    over = tuple(i for i in range(pixels.ndim) if i != at)
    for block in blocks(pixels.shape, pixels.dtype.itemsize, array.chunks):
        part = np.ascontiguousarray(pixels[block])
        array[block] = part
        here = block[at] if at >= 0 else slice(0, 1)
        low[here] = np.fmin(low[here], np.fmin.reduce(part, axis=over))
        high[here] = np.fmax(high[here], np.fmax.reduce(part, axis=over))
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def blocks_of(smaller: Any) -> Iterator[Window]:
    """Cut a smaller copy into blocks that share no chunk."""
    return blocks(smaller.shape, 4 * smaller.dtype.itemsize, smaller.chunks)


def halve(larger: Any, smaller: Any, axes: str, block: Window) -> None:
    """Write a block of a copy of half the size, from the one before."""
    twice = tuple(
        slice(2 * b.start, min(2 * b.stop, n)) if a in "YX" else b
        for a, b, n in zip(axes, block, larger.shape, strict=True)
    )
    smaller[block] = pyramid.halved(larger[twice], axes)


def _versioned(
    said: dict[str, Any], version: int, description: Mapping[str, str]
) -> dict[str, Any]:
    provenance = {"care-zoo": dict(description)} if description else {}
    if version == 3:
        return {"ome": {"version": "0.5", **said}, **provenance}
    for image in said["multiscales"]:
        image["version"] = "0.4"
    said["omero"]["version"] = "0.4"
    return {**said, **provenance}
