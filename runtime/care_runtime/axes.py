"""Axes: an image in its own order seen as one array of STCZYX, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from care_runtime.errors import AxesError
from care_runtime.image import AXES

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check(axes: str, shape: tuple[int, ...]) -> str:
    """Check that axes name the dimensions of an image, and return them in capitals.

    Raises
    ------
    AxesError
        If a letter is unknown or repeated, Y or X is missing, or the number is wrong.
    """
    if not isinstance(axes, str):
        msg = f"expected axes as letters in one text, as 'ZYX', found {axes!r}"
        raise AxesError(msg)
    axes = axes.upper()
    unknown = [letter for letter in axes if letter not in AXES]
    if unknown or len(set(axes)) != len(axes):
        msg = f"expected axes as distinct letters of {AXES}, found {axes!r}"
        raise AxesError(msg)
    if len(axes) != len(shape):
        msg = (
            f"the axes {axes} name {len(axes)} dimensions, but the image has "
            f"{len(shape)}, of shape {shape}: give one letter of {AXES} for each"
        )
        raise AxesError(msg)
    if not {"Y", "X"} <= set(axes):
        msg = f"expected the axes Y and X among {axes!r}: an image has both"
        raise AxesError(msg)
    return axes


def canonical(pixels: NDArray[Any], axes: str) -> NDArray[Any]:
    """View an image as STCZYX, with length 1 where it lacks an axis; nothing is copied.

    Writing into the view writes into the image.
    """
    present = [letter for letter in AXES if letter in axes]
    view = pixels.transpose([axes.index(letter) for letter in present])
    return view[tuple(slice(None) if letter in axes else None for letter in AXES)]


def restored_axes(axes: str, *, channels_out: int, keeps_z: bool) -> str:
    """Name the axes of a restoration, in the image's own order.

    A channel axis appears before the space axes if several channels come out of an
    image without one; Z disappears where the network projects it.
    """
    if channels_out > 1 and "C" not in axes:
        place = min(axes.index(letter) for letter in axes if letter in "ZYX")
        axes = axes[:place] + "C" + axes[place:]
    return axes if keeps_z else axes.replace("Z", "")


def fit(axes: str, shape: tuple[int, ...], letters: str, channels: int) -> None:
    """Check that an image has what a network needs.

    Parameters
    ----------
    axes, shape
        Of the image, as `check` returns them.
    letters
        Axes of the network's input, such as ``"BCZYX"``.
    channels
        Channels of the network's input; with one, every channel of the image is
        restored on its own.
    """
    if "Z" in letters and "Z" not in axes:
        msg = (
            "the model restores volumes and needs a Z axis, but the image has the "
            f"axes {axes}: name its planes with axes such as 'ZYX'"
        )
        raise AxesError(msg)
    found = shape[axes.index("C")] if "C" in axes else 1
    if channels not in (1, found):
        msg = (
            f"the model needs {channels} channels together, but the image has {found} "
            f"(axes {axes}, shape {shape}): select the channels it was trained on"
        )
        raise AxesError(msg)
