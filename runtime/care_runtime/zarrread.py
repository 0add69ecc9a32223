"""OME-Zarr as a source: versions 0.4 and 0.5, on a disk or at an address."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from care_runtime import ngff
from care_runtime import series as series_
from care_runtime.errors import CareError, FileError, OptionError
from care_runtime.files import absent, missing
from care_runtime.image import Calibration
from care_runtime.naming import name
from care_runtime.source import Source, aligned, require_real

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from care_runtime.output import Empty
    from care_runtime.reading import Place
    from care_runtime.source import Window

PACKAGE, EXTRA = "zarr", "care-zoo[zarr]"

PATIENCE = 5.0
"""Seconds for which chunks are waited for that nobody needs any more."""


def source(
    where: Place,
    axes: str | None = None,
    *,
    series: int | str | None = None,
    prefer_z: bool = False,
) -> Source:
    """Look into an OME-Zarr, and read no pixels yet.

    Parameters
    ----------
    where
        Folder, or an address that fsspec knows: ``s3://``, ``https://``, ``gs://``.
    axes
        Letters of ``STCZYX``, in place of those that are described.
    series
        Number of the image of a file that holds several, or its path, such as
        ``"B/3/0"`` in a plate.
    prefer_z
        Whether an axis of no known kind is Z rather than T.

    Raises
    ------
    FileError
        If there is none, it is damaged, or a package is missing that reads it.
    AxesError, ImageError, OptionError
        If its axes, pixels or series are not what is asked for.
    """
    zarr = required(where)
    with _explained(where):
        node = zarr.open(where, mode="r")  # a path may look like an address of fsspec
        array, letters, said = _image(zarr, node, str(where), series)
        if len(letters) != array.ndim:
            msg = (
                f"expected an array of axes {letters} in {where}, found one of shape "
                f"{array.shape}; write it again"
            )
            raise FileError(msg)
        naming = name(letters, array.shape, str(where), axes, prefer_z=prefer_z)
        dtype = require_real(array.dtype, str(where))

    def load(window: Window, empty: Empty) -> NDArray[Any]:
        part = naming.array_window(window)
        with _explained(where):
            out = empty(tuple(p.stop - p.start for p in part), dtype)
            for block in aligned(part, array.dtype.itemsize, array.chunks):
                place = tuple(
                    slice(b.start - p.start, b.stop - p.start)
                    for b, p in zip(block, part, strict=True)
                )
                out[place] = array[block]
        return naming.image(out, window)

    grid = naming.grid(array.chunks)
    return Source(str(where), naming.axes, naming.sizes, dtype, load, said, grid=grid)


def required(where: Place) -> Any:
    """Import zarr, or say how it is installed."""
    try:
        import zarr
    except ImportError as error:
        raise missing(PACKAGE, EXTRA, where) from error
    return zarr


@contextmanager
def _explained(where: Place) -> Iterator[None]:
    """Turn whatever zarr and fsspec raise into an error of one line."""
    try:
        yield
    except (CareError, MemoryError):
        raise
    except ImportError as error:
        msg = (
            f"expected a package that reads {where}, found that it is not installed "
            f"({' '.join(str(error).split())}): python -m pip install what it names"
        )
        raise FileError(msg) from error
    except FileNotFoundError as error:
        found = "none: check its name or address"
        if isinstance(where, Path) and where.is_symlink():
            found = absent(where)
        msg = f"expected an OME-Zarr in {where}, found {found}"
        raise FileError(msg) from error
    except Exception as error:  # stores and codecs raise anything
        _settle()
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        msg = (
            f"expected a whole OME-Zarr in {where}, found one that cannot be read "
            f"({reason}); copy it again, or check that the address may be read"
        )
        raise FileError(msg) from error


def _settle() -> None:
    """Wait for the chunks that zarr still reads when one of them has failed.

    At the end of the process, asyncio would tell of each in a page of its own.
    """

    async def rest() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        done, _ = await asyncio.wait(others, timeout=PATIENCE) if others else ((), ())
        for task in done:
            if not task.cancelled():
                task.exception()  # it is told already, of the first that failed

    with suppress(Exception):  # another zarr may have another way
        from zarr.core.sync import sync

        sync(rest())


def _image(
    zarr: Any, node: Any, where: str, series: int | str | None
) -> tuple[Any, str, Calibration]:
    """Find the array to read, its axes and what is said of it."""
    if isinstance(node, zarr.Array):
        if series not in (None, 0):
            msg = f"expected no series, or 0, for the array {where}, found {series!r}"
            raise OptionError(msg)
        return node, _dimensions(node), Calibration()
    if isinstance(series, str) and series in node:
        return _image(zarr, node[series], f"{where}/{series}", None)
    said = node.attrs.asdict()
    found = ngff.multiscales(said)
    if not found:
        return _one_of(zarr, node, said, where, series)
    number = _number(found, where, series)
    image = ngff.parse(said, number, where)
    array = node[image.path]
    sizes = dict(zip(image.axes, array.shape, strict=False))
    return array, image.axes, ngff.of_count(image.calibration, sizes.get("C", 1))


def _dimensions(array: Any) -> str:
    """Return the letters that an array gives its dimensions, or what they may be."""
    named = getattr(array.metadata, "dimension_names", None) or ()
    letters = "".join(str(n or "").upper() for n in named)
    if len(letters) == array.ndim == len(set(letters)) and set(letters) <= set("TCZYX"):
        return letters
    count = int(array.ndim)
    return "Q" * max(0, count - 2) + "YX"[:count]


def _number(found: list[Any], where: str, series: int | str | None) -> int:
    names = [str(each.get("name") or "") for each in found]
    return series_.chosen(names, where, series)


def _one_of(
    zarr: Any, node: Any, said: dict[str, Any], where: str, series: int | str | None
) -> tuple[Any, str, Calibration]:
    """Choose among the images of a collection or a plate."""
    ome = said.get("ome") if isinstance(said.get("ome"), dict) else said
    if "plate" in (ome or {}):
        wells = [str(well["path"]) for well in (ome or {})["plate"]["wells"]]
        msg = (
            f"expected a well of the plate {where}, or a field of one, as series, such "
            f"as {wells[0]}, found {series!r}: its wells are {', '.join(wells[:20])}"
        )
        raise OptionError(msg)
    well = (ome or {}).get("well")
    paths = [str(each["path"]) for each in well["images"]] if well else _series(node)
    if not paths:
        msg = (
            f"expected an OME-Zarr image in {where}, found a group without: name the "
            "folder of an image in it"
        )
        raise FileError(msg)
    named = isinstance(series, str) and not series.isdecimal()
    titles = [_title(node[path]) if named else "" for path in paths]
    number = series_.chosen(titles, where, series)
    return _image(zarr, node[paths[number]], f"{where}/{paths[number]}", None)


def _title(node: Any) -> str:
    """Return what the first image of a group is called."""
    found = ngff.multiscales(node.attrs.asdict())
    return str(found[0].get("name") or "") if found else ""


def _series(node: Any) -> list[str]:
    """List the images of a collection, as bioformats2raw lays them out."""
    if "OME" in node:
        said = node["OME"].attrs.asdict()
        named = said.get("ome", said).get("series")
        if named:
            return [str(path) for path in named]
    found: list[str] = []
    while str(len(found)) in node:
        found.append(str(len(found)))
    return found
