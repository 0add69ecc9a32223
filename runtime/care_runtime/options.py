"""Options: what a user writes about normalization and tiles, read and checked."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import FactorWarning, OptionError

if TYPE_CHECKING:
    from care_runtime.care import Normalization, Resample
    from care_runtime.image import Image

AGREEMENT = 0.02
"""Relative difference up to which two factors are the same."""

TileSize = int | Mapping[str, int] | Sequence[int] | str | None
"""Kept size of a tile: pixels, pixels by axis, ``"N"``, ``"Y,X"``, ``"whole"``..."""


def read_tile(wish: TileSize, default: Mapping[str, int]) -> Mapping[str, int]:
    """Read the kept size of a tile, by lower-case axis; other axes are not cut.

    Parameters
    ----------
    wish
        Pixels for all axes or by axis; as text, ``"N"``, ``"Y,X"``, ``"Z,Y,X"`` or
        ``"whole"``; None for the default.
    default
        What the model suggests.

    Raises
    ------
    OptionError
        If it is none of these.
    """
    if wish is None:
        return default
    if isinstance(wish, str) and wish == "whole":
        return {}
    sizes = {str(axis).lower(): size for axis, size in _by_axis(wish).items()}
    whole = all(isinstance(n, Integral) and int(n) > 0 for n in sizes.values())
    if not sizes or not whole or not set(sizes) <= set("zyx"):
        msg = (
            "expected the kept size of a tile as pixels, pixels by axis (as Y,X or "
            f"Z,Y,X), or 'whole', found {wish!r}"
        )
        raise OptionError(msg)
    return sizes


def _by_axis(wish: Any) -> Mapping[Any, Any]:
    if isinstance(wish, Mapping):
        return wish
    if isinstance(wish, str):
        numbers = [int(n) if n.strip().isdecimal() else n for n in wish.split(",")]
    else:
        several = isinstance(wish, Sequence | np.ndarray) and not isinstance(
            wish, bytes
        )
        numbers = list(np.ravel(wish)) if several else [wish]
    if len(numbers) == 1:
        return dict.fromkeys("zyx", numbers[0])
    letters = "zyx"[-len(numbers) :]
    few = 0 < len(numbers) <= 3
    return dict(zip(letters, numbers, strict=True)) if few else {}


def read_normalization(
    wish: str | Sequence[float], default: Normalization, over: str | None = None
) -> tuple[Normalization, tuple[float, float] | None]:
    """Read how to normalize.

    Parameters
    ----------
    wish
        ``"auto"``, ``"none"``, percentiles as two numbers or ``"LOW,HIGH"``, or grey
        values as ``"values:LOW,HIGH"``.
    default
        What the model says.
    over
        ``"frame"`` measures every time point on its own, ``"movie"`` all of them
        together, so that nothing flickers; None leaves it to the model.

    Returns
    -------
    normalization, values
        `values` are the grey values for 0 and 1, None where percentiles give them.

    Raises
    ------
    OptionError
        If it is none of these.
    """
    if over not in (None, "frame", "movie"):
        msg = f"expected a normalization over 'frame' or 'movie', found {over!r}"
        raise OptionError(msg)
    if over is not None:
        rest = default.axes.replace("T", "")
        default = replace(default, axes=f"T{rest}" if over == "movie" else rest)
    text = wish if isinstance(wish, str) else None
    if text == "auto":
        return default, None
    if text == "none":
        return replace(default, percentiles=None), None
    grey = text is not None and text.startswith("values:")
    limits = wish if text is None else text.removeprefix("values:").split(",")
    try:
        low, high = (float(limit) for limit in limits)
    except (TypeError, ValueError):
        low = high = 0.0
    least, most = (-sys.float_info.max, sys.float_info.max) if grey else (0, 100)
    if not least <= low < high <= most:
        msg = (
            "expected a normalization 'auto', 'none', 'LOW,HIGH' (percentiles that "
            "rise between 0 and 100) or 'values:LOW,HIGH' (grey values that rise), "
            f"found {wish!r}"
        )
        raise OptionError(msg)
    if grey:
        return default, (low, high)
    return replace(default, percentiles=(low, high)), None


def read_factor(wish: float | None, default: Resample | None) -> Resample | None:
    """Read by how much an image is stretched before the network.

    Parameters
    ----------
    wish
        Pixels after per pixel before; None for the model's.
    default
        What the model says; None where it does not stretch.

    Raises
    ------
    OptionError
        If the model does not stretch, or the factor means nothing.
    """
    if wish is None:
        return default
    if default is None:
        msg = f"a factor of {wish:g} was given, but the model stretches no axis"
        raise OptionError(msg)
    if not 0 < wish < float("inf"):
        msg = f"expected a factor above 0, the stretching of Z, found {wish:g}"
        raise OptionError(msg)
    return replace(default, factor=float(wish))


def factor_of(
    image: Image, wish: float | None, default: Resample | None
) -> float | None:
    """Decide the factor: as wished, else by the voxel sizes, else the model's.

    Parameters
    ----------
    image
        Where the model makes voxels cubic, the ratio of its voxel sizes counts.
    wish, default
        As in `read_factor`.

    Warns
    -----
    FactorWarning
        If what was decided and the others differ by more than 2 %.
    """
    if default is None:
        return wish  # refused where the job is made
    read_factor(wish, default)
    axis = default.axis.upper()
    sizes = [image.voxel.get(a) for a in (axis, "X")]
    known = default.cubic and all(sizes)
    file = sizes[0] / sizes[1] if known else None  # type: ignore[operator]
    named = {
        "--factor": wish,
        "the ratio of voxel sizes": file,
        "the model": default.factor,
    }
    given = {name: value for name, value in named.items() if value is not None}
    source, factor = next(iter(given.items()))
    for name, value in given.items():
        if abs(value / factor - 1) > AGREEMENT:
            msg = (
                f"{axis} is stretched by {factor:.4g}, as {source} says, but "
                f"{name} says {value:.4g}: give the right one as --factor"
            )
            warnings.warn(msg, FactorWarning, stacklevel=3)
    return factor
