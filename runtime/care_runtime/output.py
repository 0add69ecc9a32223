"""Output: the images a restoration fills, and their calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import lazy
from care_runtime.axes import restored_axes
from care_runtime.canvas import Canvas
from care_runtime.contract import supported
from care_runtime.errors import OptionError, SpecError
from care_runtime.pixels import result_type
from care_runtime.readout import Draw, Flag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from care_runtime.image import Image
    from care_runtime.job import Job
    from care_runtime.readout import Readout
    from care_runtime.spec import Spec

    Empty = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]
    Make = Callable[[str, tuple[int, ...], np.dtype[Any], str], NDArray[Any]]

SAMPLES = "samples"
"""Id of the image that holds all random draws, along the axis S."""


def taken(out: Any, readouts: Sequence[Readout], empty: Empty) -> Make:
    """Return what makes the array of a readout: the one given for it, or a new one.

    Parameters
    ----------
    out
        Array of the first readout, arrays by id, or None.
    readouts
        What is to be drawn.
    empty
        Makes new ones.

    Raises
    ------
    OptionError
        If an array is given for what is not drawn, or what is given is none.
    """
    given = arrays(out, readouts[0].id)
    known = [r.id for r in readouts if not isinstance(r, Draw)]
    unknown = [name for name in given if name not in known]
    if unknown:
        msg = f"expected arrays for {', '.join(known)}, found {', '.join(unknown)}"
        raise OptionError(msg)

    def make(
        name: str, shape: tuple[int, ...], dtype: np.dtype[Any], wish: str
    ) -> NDArray[Any]:
        if name not in given:
            return empty(shape, dtype)
        return fitting(given[name], name, shape, dtype, wish)

    return make


def arrays(out: Any, main: str) -> dict[str, Any]:
    """Read which arrays are given to write into, by id.

    Parameters
    ----------
    out
        Array of the main image, arrays by id, or None.
    main
        Id of the main image.

    Raises
    ------
    OptionError
        If something is no array, or two images would be written into one.
    """
    found = out if isinstance(out, Mapping) else {main: out}
    found = {name: array for name, array in found.items() if array is not None}
    for name, array in found.items():
        try:
            tuple(array.shape), np.dtype(array.dtype)
        except (AttributeError, TypeError):
            msg = (
                f"expected an array with a shape and a NumPy type to write {name!r} "
                f"into, found a {type(array).__name__}: give one, as numpy.empty makes"
            )
            raise OptionError(msg) from None
    for (first, one), (second, other) in combinations(found.items(), 2):
        both = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
        if one is other or (both and np.shares_memory(one, other)):
            msg = (
                f"expected an array for each image, found that {first!r} and "
                f"{second!r} share one: give them arrays of their own"
            )
            raise OptionError(msg)
    return found


def require_apart(out: Any, sources: Sequence[NDArray[Any]]) -> None:
    """Refuse to write into an image: other tiles have yet to be read from it.

    Raises
    ------
    OptionError
        If an array to write into shares memory, or the file of a map, with an image.
    """
    given = out.values() if isinstance(out, Mapping) else [out]
    for array, source in product(given, sources):
        if not isinstance(array, np.ndarray) or not isinstance(source, np.ndarray):
            continue
        if _file(array) == _file(source) is not None or np.shares_memory(array, source):
            msg = (
                "expected an array apart from the image to write into, found one that "
                "shares its pixels, which other tiles have yet to read: give another"
            )
            raise OptionError(msg)


def _file(array: Any) -> str | None:
    """Name the file that an array, or what it is a view of, maps."""
    while array is not None:
        if isinstance(array, np.memmap) and array.filename is not None:
            return str(array.filename)
        array = getattr(array, "base", None)
    return None


def fitting(
    array: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], wish: str
) -> NDArray[Any]:
    """Return an array as one to write an image into.

    Raises
    ------
    OptionError
        If it does not hold the image as it is, or may not be written.
    """
    found = tuple(array.shape), np.dtype(array.dtype).newbyteorder("=")
    # Without a wish, the array says what is wanted, as long as it holds the numbers.
    floats = wish == "auto" and found[1].kind == "f"
    same = found[1] == dtype.newbyteorder("=")
    if found[0] != shape or not (same or floats):
        msg = (
            f"expected an array of shape {shape} and type {dtype} to write {name!r} "
            f"into, found one of {found[0]} and {found[1]}"
        )
        raise OptionError(msg)
    if isinstance(array, np.ndarray) and not array.flags.writeable:
        msg = (
            f"expected an array to write {name!r} into, found one that is read only: "
            "give another, or open its file for writing"
        )
        raise OptionError(msg)
    if isinstance(array, np.ndarray | lazy.Lazy):
        return array  # type: ignore[return-value]
    return lazy.view(lazy.Foreign(array))


def canvases(
    spec: Spec,
    job: Job,
    readouts: Sequence[Readout],
    found: np.dtype[Any],
    wish: str,
    make: Make,
) -> list[Canvas]:
    """Make room for what is to be drawn.

    Parameters
    ----------
    spec, job
        The model, and what is to be done.
    readouts
        What is to be drawn.
    found
        Type of the image.
    wish
        Type asked for, or ``"auto"``.
    make
        Makes an array of an id, shape and type, in memory or in a file; see `taken`.
    """
    draws = [readout for readout in readouts if isinstance(readout, Draw)]
    others = [readout for readout in readouts if not isinstance(readout, Draw)]
    made = [_canvas(spec, r, job, found, wish, make) for r in others]
    if not draws:
        return made
    if "S" in job.axes:
        msg = (
            f"random draws lie along the axis S, which the image has (axes {job.axes}):"
            " restore its samples one by one"
        )
        raise OptionError(msg)
    first = _canvas(
        spec,
        draws[0],
        job,
        found,
        wish,
        lambda name, n, t, w: make(name, (len(draws), *n), t, w),
    )
    movie = first.pixels
    return made + [
        replace(first, readout=draw, pixels=part, movie=movie)
        for draw, part in zip(draws, movie, strict=True)
    ]


def _canvas(
    spec: Spec,
    readout: Readout,
    job: Job,
    found: np.dtype[Any],
    wish: str,
    make: Make,
) -> Canvas:
    tensor = spec.output(readout.like)
    channels = tensor.channels
    inverts = job.inverts and readout.undo != "none"
    if inverts and channels % job.channels:
        msg = (
            f"the output {tensor.id!r} has {channels} channels and the input "
            f"{job.channels}: its normalization cannot be undone, so the description "
            "has to say 'invert: false'"
        )
        raise SpecError(msg)
    keeps_z = not job.volume or "Z" in tensor.letters
    axes = restored_axes(job.axes, channels_out=channels, keeps_z=keeps_z)
    inputs = job.sizes["C"] // job.channels
    sizes = {a: job.stretched(a) for a in axes} | {"C": inputs * channels}
    in_units = inverts and readout.undo == "affine"
    dtype = result_type(wish, found, in_units=in_units)
    if isinstance(readout, Flag):
        dtype = np.dtype(np.uint8)
    pixels = make(readout.id, tuple(sizes[a] for a in axes), dtype, wish)
    role = supported(spec).outputs[tensor.id]
    return Canvas(
        readout,
        keeps_z,
        channels,
        inverts,
        axes,
        pixels,
        steps=role.steps,
        flat=not job.volume,
    )


def images(source: Image, job: Job, drawn: Sequence[Canvas]) -> dict[str, Image]:
    """Give what was drawn the calibration of the image it was made from."""
    found = {}
    for canvas in drawn:
        image = _calibrated(source, job, canvas)
        if not isinstance(canvas.readout, Draw):
            found[canvas.readout.id] = image
        elif canvas.movie is not None:
            pixels, axes = canvas.movie, "S" + image.axes
            found[SAMPLES] = replace(image, pixels=pixels, axes=axes)
    return found


def _calibrated(source: Image, job: Job, canvas: Canvas) -> Image:
    voxel = {}
    for axis, size in source.voxel.items():
        if axis in canvas.axes:
            # Samples run from the centre of the first pixel to that of the last.
            before, after = job.sizes[axis], job.stretched(axis)
            steps = max(before - 1, 1), max(after - 1, 1)
            voxel[axis] = size if before == after else size * steps[0] / steps[1]
    channels = canvas.pixels.shape[canvas.axes.index("C")] if "C" in canvas.axes else 1
    look = source.look.of_count(channels)
    if not canvas.inverts or canvas.readout.undo != "affine":
        look = replace(look, ranges=(), greys=None)  # they are of grey values
    return replace(
        source,
        pixels=canvas.pixels,
        axes=canvas.axes,
        voxel=voxel,
        origin={a: place for a, place in source.origin.items() if a in canvas.axes},
        channels=source.channels if len(source.channels) == channels else (),
        look=look,
    )
