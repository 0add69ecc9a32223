"""Naming: the dimensions of a file's array in letters of STCZYX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import AxesError
from care_runtime.image import AXES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from care_runtime.source import Window


@dataclass(frozen=True, slots=True)
class Naming:
    """Where the axes of an image lie in the array of its file.

    Parameters
    ----------
    axes
        Letters of ``STCZYX``, in the order of the array.
    dims
        Dimension of the array for each of them; others have length 1.
    shape
        Of the array.
    samples
        Dimension of the samples of a pixel that are channels as well, or None.
    """

    axes: str
    dims: tuple[int, ...]
    shape: tuple[int, ...]
    samples: int | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Shape of the image."""
        sizes = [self.shape[dim] for dim in self.dims]
        if self.samples is not None:
            sizes[self.axes.index("C")] *= self.shape[self.samples]
        return tuple(sizes)

    def array_window(self, window: Window) -> Window:
        """Return the part of the array that holds a part of the image."""
        found = [slice(0, n) for n in self.shape]
        for axis, dim, part in zip(self.axes, self.dims, window, strict=True):
            if self.samples is None or axis != "C":
                found[dim] = part
        return tuple(found)

    def grid(self, chunks: Sequence[int]) -> tuple[int, ...]:
        """Return chunks of the array as pixels of the image."""
        found = [int(chunks[dim]) for dim in self.dims]
        if self.samples is not None:
            found[self.axes.index("C")] *= self.shape[self.samples]
        return tuple(found)

    def image(self, part: NDArray[Any], window: Window) -> NDArray[Any]:
        """Turn a part of the array into that of the image."""
        dims = list(self.dims)
        if self.samples is None:
            return part.transpose(
                dims + [d for d in range(part.ndim) if d not in dims]
            ).reshape([part.shape[d] for d in dims])
        at = self.axes.index("C")
        dims.insert(at + 1, self.samples)
        rest = [d for d in range(part.ndim) if d not in dims]
        part = part.transpose(dims + rest)
        shape = part.shape[: len(dims)]
        part = part.reshape(*shape[:at], -1, *shape[at + 2 :])
        channels = window[at]
        return part[(slice(None),) * at + (channels,)]


def name(
    axes: str, shape: Sequence[int], where: str, asked: str | None, *, prefer_z: bool
) -> Naming:
    """Name the axes of an image.

    Parameters
    ----------
    axes
        Letters that the file gives to the dimensions of its array; ``S`` are samples
        of a pixel, and letters beyond ``TCZYX`` are unknown.
    shape
        Of the array.
    where
        Name of the file, for errors.
    asked
        Letters of ``STCZYX`` to be used instead, or None.
    prefer_z
        Whether an unknown axis is Z rather than T.

    Raises
    ------
    AxesError
        If the letters asked for do not fit, or no axes can be found.
    """
    if asked is not None:
        return _renamed(axes, tuple(shape), where, asked)
    kept = [i for i, x in enumerate(axes) if x in "TCZYXS" or shape[i] != 1]
    samples = axes.find("S") if {"S", "C"} <= set(axes) else -1
    dims = [i for i in kept if i != samples]
    letters = "".join("C" if axes[i] == "S" else axes[i] for i in dims)
    free = [x for x in ("ZTS" if prefer_z else "TZS") if x not in letters]
    unknown = [x for x in letters if x not in "TCZYX"]
    if len(unknown) > len(free) or not {"Y", "X"} <= set(letters):
        found = tuple(shape[i] for i in dims)
        msg = (
            f"expected an image of axes among {AXES} in {where}, found an array of "
            f"shape {found} that names its axes {letters}; name them yourself, one "
            "letter for each dimension"
        )
        raise AxesError(msg)
    named = "".join(x if x in "TCZYX" else free.pop(0) for x in letters)
    return Naming(named, tuple(dims), tuple(shape), samples if samples >= 0 else None)


def _renamed(axes: str, shape: tuple[int, ...], where: str, asked: str) -> Naming:
    """Use the letters asked for, without more single dimensions than they leave."""
    named = asked.upper()
    shown = axes if "C" in axes else axes.replace("S", "C")  # S are colours in TIFF
    holds = (
        f"{where} holds an array of shape {shape} that names its axes {shown}: give "
        "one letter for each dimension"
    )
    if len(set(named)) < len(named) or not set("YX") <= set(named) <= set(AXES):
        msg = (
            f"expected axes of distinct letters of {AXES}, Y and X among them, found "
            f"{asked!r}; {holds}"
        )
        raise AxesError(msg)
    everything = range(len(shape))
    squeezed = [i for i in everything if shape[i] > 1 or axes[i] in "YX"]
    for dims in (everything, squeezed):
        if len(dims) == len(named):
            return Naming(named, tuple(dims), shape)
    msg = f"expected {len(shape)} axes, found {asked!r}; {holds}"
    raise AxesError(msg)


def native_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that pixels get in memory: this machine's, bits as uint8."""
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")
