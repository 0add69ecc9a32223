"""Pixels: what an image may and may not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import lazy
from care_runtime.errors import ImageError, OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CHUNK = 1 << 18
"""Pixels looked at together."""


def chunks(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Go through the pixels of an image in pieces, in the order of the memory.

    However the image is cut, transposed or mapped from a file, no copy of it is held.
    """
    if not isinstance(pixels, np.ndarray):
        return (each for part in lazy.parts(pixels) for each in chunks(part))
    flags = ["external_loop", "buffered", "zerosize_ok"]
    return iter(np.nditer(pixels, flags, buffersize=CHUNK))  # type: ignore[arg-type]


def check(pixels: NDArray[Any]) -> None:
    """Refuse pixels that are no real, finite numbers.

    Raises
    ------
    ImageError
        If the image is complex or of no numbers, or has NaN or infinite pixels; their
        count is given.
    """
    if pixels.dtype.kind not in "buif":
        msg = f"expected integer or floating pixels, found {pixels.dtype}"
        raise ImageError(msg)
    require_finite(unreal(pixels), pixels.size)


def unreal(pixels: NDArray[Any]) -> int:
    """Count the pixels that are NaN or infinite."""
    if pixels.dtype.kind != "f":
        return 0
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite to us
        finite = sum(
            int(np.count_nonzero(np.isfinite(part.astype(np.float32))))
            for part in chunks(pixels)
        )
    return pixels.size - finite


def require_finite(bad: int, count: int) -> None:
    """Refuse an image of which pixels are no finite numbers.

    Raises
    ------
    ImageError
        If there are any.
    """
    if bad:
        msg = (
            f"{bad} of {count} pixels are NaN, infinite or larger than 32-bit numbers "
            "can be: replace them first, for they would spread over their surroundings"
        )
        raise ImageError(msg)


def result_type(wish: str, found: np.dtype[Any], *, in_units: bool) -> np.dtype[Any]:
    """Decide the type of an output.

    Parameters
    ----------
    wish
        ``"auto"``, or the name of an integer or floating type.
    found
        Type of the image that is restored.
    in_units
        Whether the output is in the grey values of that image.
    """
    if wish == "auto":
        return found if in_units and found.kind in "ui" else np.dtype(np.float32)
    try:
        dtype = np.dtype(object if wish is None else wish)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind not in "uif":
        msg = (
            f"expected 'auto' or a type such as 'float32' or 'uint16' for the "
            f"restoration, found {wish!r}"
        )
        raise OptionError(msg)
    return dtype if in_units or dtype.kind == "f" else np.dtype(np.float32)
