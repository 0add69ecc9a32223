"""NumPy files: memory-mapped, with what `.npy` cannot say in a JSON file beside it."""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import runs, streams
from care_runtime.errors import FileError
from care_runtime.files import ABSENT, absent, unwritable, written
from care_runtime.image import Calibration, Look
from care_runtime.lazy import parts
from care_runtime.naming import name
from care_runtime.scratch import LARGE, Scratch
from care_runtime.source import BLOCK, Source, require_real

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from care_runtime.image import Image
    from care_runtime.output import Empty
    from care_runtime.source import Window

PIPE = Path("-")
"""Standard input, or standard output."""


def beside(path: Path) -> Path:
    """Name the file that says what an array means."""
    return path.with_name(f"{path.name}.json")


def source(path: Path, axes: str | None = None, *, prefer_z: bool = False) -> Source:
    """Look into a NumPy file; ``-`` is standard input, which is read at once.

    Parameters
    ----------
    path
        File, or ``-``.
    axes
        Letters of ``STCZYX``, in place of those that the file beside it says.
    prefer_z
        Whether an axis that nobody named is Z rather than T.

    Raises
    ------
    FileError
        If the file is missing, damaged or no array.
    AxesError
        If the axes do not fit.
    """
    piped = path == PIPE
    where = "standard input" if piped else str(path)
    try:
        array = _piped() if piped else np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray):
            msg = "several arrays"
            raise ValueError(msg)
    except FileError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, where, error) from error
    said, known = ({}, Calibration()) if piped else _said(path, array)
    dtype = require_real(array.dtype, where)
    unnamed = "Q" * max(0, array.ndim - 2) + "YX"[: array.ndim]
    asked = axes or said.get("axes")
    naming = name(unnamed, array.shape, where, asked, prefer_z=prefer_z)

    def load(window: Window, empty: Empty) -> NDArray[Any]:
        part = naming.array_window(window)
        size = math.prod(p.stop - p.start for p in part)
        part_of = size < array.size and size * array.itemsize < LARGE
        if not isinstance(array, np.memmap) or not part_of:
            return naming.image(array[part], window)
        # The last axis of an array of Fortran is the first in the file.
        back = 1 if array.flags.c_contiguous else -1
        shape, part = array.shape[::back], part[::back]
        found = runs.read(path, array.offset, shape, array.dtype, part)
        return naming.image(found if back == 1 else found.transpose(), window)

    across = isinstance(array, np.memmap) and not array.flags.c_contiguous
    grid = naming.grid(_grid(array.shape, array.itemsize)) if across else ()
    return Source(
        where, naming.axes, naming.sizes, dtype, load, known, grid=grid, across=across
    )


def _grid(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Choose blocks that are long runs in an array of Fortran, and in one of C."""
    grid = [1] * len(shape)
    for axes in (range(len(shape)), reversed(range(len(shape)))):
        run = itemsize
        for axis in axes:
            grid[axis] = max(grid[axis], min(shape[axis], -(-runs.SHORT // run)))
            run *= grid[axis]
            if run >= runs.SHORT:
                break
    return tuple(grid)


def _unreadable(path: Path, where: str, error: Exception) -> FileError:
    if isinstance(error, OSError) and error.errno in ABSENT:
        found = absent(path)
    elif isinstance(error, OSError) and error.strerror:
        found = f"that it cannot be opened ({error.strerror}); check its permissions"
    else:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        found = f"a damaged or another one ({reason}); write it again with numpy.save"
    return FileError(f"expected a whole NumPy file in {where}, found {found}")


def _piped() -> NDArray[Any]:
    """Read an array from standard input, which cannot be wound back."""
    stream, form = streams.given(), np.lib.format
    version = form.read_magic(stream)
    head = (
        form.read_array_header_1_0
        if version == (1, 0)
        else (form.read_array_header_2_0)
    )
    shape, fortran, dtype = head(stream)
    if dtype.hasobject:
        msg = "an array of Python objects"
        raise ValueError(msg)
    array = Scratch(Path(tempfile.gettempdir()))(shape[:: -1 if fortran else 1], dtype)
    flat = array.reshape(-1).view(np.uint8)
    for start in range(0, flat.size, BLOCK):
        part = flat[start : start + BLOCK].data
        filled = 0
        while filled < len(part):
            got = stream.read(len(part) - filled)
            if not got:
                msg = f"{flat.size - start - filled} bytes are missing"
                raise ValueError(msg)
            part[filled : filled + len(got)] = got
            filled += len(got)
    return array.transpose() if fortran else array


def _said(path: Path, array: NDArray[Any]) -> tuple[dict[str, Any], Calibration]:
    """Read the file beside an array, if there is one and it is of this array."""
    place = beside(path)
    if not place.exists():
        return {}, Calibration()
    try:
        said: dict[str, Any] = json.loads(place.read_text("utf-8"))
        same = said["shape"] == list(array.shape) and len(said["axes"]) == array.ndim
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        msg = (
            f"expected {place} to tell of the array {path} of shape {array.shape}, "
            "found that it tells of another one: remove it, and name the axes yourself"
        )
        raise FileError(msg)
    try:
        return said, _calibration(said)
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        msg = (
            f"expected sizes, names and colours in {place}, found other values "
            f"({error}): correct it, or remove it and name the axes yourself"
        )
        raise FileError(msg) from error


def _calibration(said: Mapping[str, Any]) -> Calibration:
    greys = said.get("greys")
    luts = [np.array(lut, np.uint8) for lut in said.get("luts", ())]
    if any(lut.shape != (3, 256) for lut in luts):
        msg = "lookup tables of 3 x 256 values are expected"
        raise ValueError(msg)
    return Calibration(
        "plain",
        {a: float(size) for a, size in said.get("voxel", {}).items()},
        str(said.get("unit", "")),
        _number(said.get("interval")),
        tuple(str(each) for each in said.get("channels", ())),
        str(said.get("name", "")),
        Look(
            tuple(str(each) for each in said.get("colours", ())),
            tuple((float(low), float(high)) for low, high in said.get("ranges", ())),
            tuple(luts),
            _number(said.get("fps")),
            (greys[0], greys[1]) if greys else None,
        ),
        {a: float(place) for a, place in said.get("origin", {}).items()},
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def write(path: Path, image: Image, *, description: Mapping[str, str]) -> None:
    """Write an image as NumPy file, and what it means beside it.

    ``-`` is standard output, where the array goes alone.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    if path == PIPE:
        _send(image.pixels)
        return
    try:
        with written(path) as partial, written(beside(path)) as said:
            said.write_text(json.dumps(_facts(image, description), indent=1), "utf-8")
            with partial.open("wb") as file:
                _save(file, image.pixels)
            # Else a kill between the two renames leaves old pixels with new words.
            path.unlink(missing_ok=True)
    except FileError:
        raise
    except OSError as error:
        raise unwritable(path, error) from error


def _save(file: Any, pixels: NDArray[Any]) -> None:
    """Write an array as NumPy does; one that lies elsewhere goes block by block."""
    if isinstance(pixels, np.ndarray):
        np.save(file, pixels, allow_pickle=False)
        return
    _stream(file, pixels)


def _send(pixels: NDArray[Any]) -> None:
    """Write an array to standard output."""
    stream = streams.taken()
    try:
        _stream(stream, pixels)
        stream.flush()
    except OSError as error:
        raise streams.refused(error) from error


def _stream(file: Any, pixels: NDArray[Any]) -> None:
    """Write an array block by block, by `write` alone, whose errors say what is."""
    head = {
        "descr": np.lib.format.dtype_to_descr(pixels.dtype),
        "fortran_order": False,
        "shape": tuple(pixels.shape),
    }
    np.lib.format.write_array_header_1_0(file, head)
    for part in parts(pixels):
        left = np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
        while left:  # a stream without a buffer takes some of it
            left = left[file.write(left) :]


def _facts(image: Image, description: Mapping[str, str]) -> dict[str, Any]:
    look = asdict(image.look)
    facts = {
        "axes": image.axes,
        "shape": list(image.pixels.shape),
        "voxel": {axis: float(size) for axis, size in image.voxel.items()},
        "unit": image.unit,
        "interval": image.interval,
        "origin": {axis: float(place) for axis, place in image.origin.items()},
        "channels": list(image.channels),
        "name": image.name,
        **look,
        "luts": [lut.tolist() for lut in image.look.luts],
        "provenance": dict(description),
    }
    return {
        key: value for key, value in facts.items() if value not in (None, "", [], {})
    }
