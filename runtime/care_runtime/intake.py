"""Intake: what a caller hands over, as an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import axes as axes_
from care_runtime import lazy
from care_runtime.bases import Cached
from care_runtime.errors import AxesError, ImageError, OptionError
from care_runtime.feed import require_one_grid
from care_runtime.image import Image
from care_runtime.source import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from care_runtime.output import Empty
    from care_runtime.source import Window
    from care_runtime.spec import Spec


def image_of(image: Any, axes: str | None) -> Image:
    """Make an image of an array: of NumPy, or of zarr, dask and the like.

    Arrays of others have ``shape``, ``dtype`` and parts by ``[...]``; they are read
    tile by tile.

    Raises
    ------
    AxesError
        If axes are missing or do not fit.
    """
    if isinstance(image, Image):
        pixels = array_of(image.pixels)
        found = replace(image, pixels=pixels, axes=image.axes if axes is None else axes)
    elif axes is None and not isinstance(image, str | PathLike):
        shape = np.shape(image)
        msg = f"name the axes of the array of shape {shape}, as in axes='ZYX'"
        raise AxesError(msg)
    else:
        found = Image(array_of(image), axes or "")
    return replace(found, axes=axes_.check(found.axes, found.pixels.shape))


def images_of(
    spec: Spec, image: Any, axes: str | Mapping[str, str] | None
) -> tuple[Image, ...]:
    """Make the images of all inputs of a model, in its order.

    Parameters
    ----------
    spec
        The model.
    image
        An image or array for its only input, or one for each by id.
    axes
        Of all of them, or by id; None where they are images.

    Raises
    ------
    OptionError
        If there is not one image for each input.
    AxesError
        If axes are missing or do not fit, or the images do not lie on one grid.
    """
    names = [tensor.id for tensor in spec.inputs]
    given = image if isinstance(image, Mapping) else dict.fromkeys(names[:1], image)
    known = axes if isinstance(axes, Mapping) else dict.fromkeys(names, axes)
    for found, what in ((given, "an image"), (known, "axes")):
        strange = [str(name) for name in found if name not in names]
        missing = [name for name in names if found is given and name not in found]
        if strange or missing:
            msg = (
                f"expected {what} for each input of {spec.name!r}, by id "
                f"({', '.join(names)}), found {', '.join(map(str, found)) or 'none'}"
            )
            if any(tensor.optional for tensor in spec.inputs if tensor.id in missing):
                msg += "; an ONNX network needs those too that its description calls "
                msg += "optional"
            raise OptionError(msg)
    images = tuple(image_of(given[name], known.get(name)) for name in names)
    require_one_grid(spec, images)
    return images


def array_of(array: Any) -> NDArray[Any]:
    """See any array as one of NumPy's; nothing is read of what lies elsewhere."""
    if isinstance(array, lazy.Lazy):
        return array  # type: ignore[return-value]
    if array is None or isinstance(array, str | PathLike):
        msg = f"expected an image or array, found {array!r}: read it, care_runtime.read"
        raise ImageError(msg)
    if np.ma.is_masked(array):
        msg = (
            "expected pixels, found a masked array, of which the mask would be lost: "
            "fill it first, as array.filled(0)"
        )
        raise ImageError(msg)
    if isinstance(array, np.ndarray | np.generic) or not lazy.is_foreign(array):
        return np.asarray(array)
    return lazy.view(Cached(_source(array)))


def _source(array: Any) -> Source:
    """Read an array of another library by parts, chunk by chunk if it has any."""
    if any(n != n for n in array.shape):  # NaN, as dask has where nobody counted
        msg = (
            f"expected an array of known size, found {array.shape} of the "
            f"{type(array).__name__}: call its compute_chunk_sizes() first"
        )
        raise ImageError(msg)
    shape = tuple(int(n) for n in array.shape)
    foreign = lazy.Foreign(array)
    chunks = getattr(array, "chunksize", None) or getattr(array, "chunks", None) or ()
    known = len(chunks) == len(shape) and all(isinstance(n, int) for n in chunks)

    def load(part: Window, empty: Empty) -> NDArray[Any]:
        return foreign.read(part)

    name = f"the {type(array).__name__}"
    grid = tuple(chunks) if known else ()
    return Source(name, "", shape, foreign.dtype, load, grid=grid)
