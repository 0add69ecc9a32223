"""Pixels: what an image may and may not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    if pixels.dtype.kind != "f":
        return
    # Plane by plane, so that no mask of the whole image is held.
    planes = pixels[None] if pixels.ndim < 3 else pixels
    bad = sum(
        plane.size - int(np.count_nonzero(np.isfinite(plane))) for plane in planes
    )
    if bad:
        msg = (
            f"{bad} of {pixels.size} pixels are NaN or infinite: replace them before "
            "restoring, for they would spread over their surroundings"
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
        dtype = np.dtype(wish)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind not in "uif":
        msg = (
            f"expected 'auto' or a type such as 'float32' or 'uint16' for the "
            f"restoration, found {wish!r}"
        )
        raise ImageError(msg)
    return dtype if in_units or dtype.kind == "f" else np.dtype(np.float32)
