"""Canvas: an output image while its tiles arrive."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.axes import canonical
from care_runtime.operations import POINTWISE, apply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.normalize import Affine
    from care_runtime.readout import Answers, Readout
    from care_runtime.tensor import Operation
    from care_runtime.tiling import Cut


BLOCK = 1 << 17
"""Pixels that are computed together."""


@dataclass(slots=True)
class Canvas:
    """A readout, placed in an image of its own type and axes.

    Parameters
    ----------
    readout
        What is drawn.
    keeps_z
        Whether it has the Z that a volume was read with.
    channels
        Channels for each input of the network.
    inverts
        Whether normalization is undone.
    axes
        Of the image, in its own order.
    pixels
        The image.
    movie
        The array of all random draws, of which `pixels` is one.
    saturated
        Pixels so far that its integers could not hold.
    steps
        What is done with whole frames in the end.
    flat
        Whether a frame is a plane.
    """

    readout: Readout
    keeps_z: bool
    channels: int
    inverts: bool
    axes: str
    pixels: NDArray[Any]
    movie: NDArray[Any] | None = None
    saturated: int = 0
    steps: tuple[Operation, ...] = ()
    flat: bool = False

    def write(
        self,
        answers: Answers,
        affine: Affine,
        where: tuple[int, int, int, int],
        cuts: Mapping[str, Cut],
    ) -> None:
        """Compute a tile and put it in place.

        Parameters
        ----------
        answers
            What the network said about it, its exact part alone.
        affine
            The tile's normalization.
        where
            Sample, time point, number of the network input among the channels, plane.
        cuts
            The tile by axis.
        """
        place = self._index(where, cuts)
        numbered = self.readout.numbered
        numbers = self._numbers(place) if numbered else np.zeros(0, np.uint64)
        values = self.readout(answers, numbers)
        if not self.framed:
            values = apply(self.steps, values, {})
        if affine.low.ndim > values.ndim:  # the network projected Z
            affine = affine.plane(0)
        view = canonical(self.pixels, self.axes)
        if isinstance(view, np.ndarray):
            self._fill(view[place], values, affine)
        else:  # chunk by chunk, each of them once
            made = np.empty(values.shape, self.pixels.dtype)
            self._fill(made, values, affine)
            view[place] = made

    def _fill(self, target: NDArray[Any], values: NDArray[Any], affine: Affine) -> None:
        """Turn what a network gives into grey values of the image's type."""
        undo = self.readout.undo if self.inverts else "none"
        if undo != "none":
            affine = affine.repeated(len(values) // len(affine.low))
        for rows in blocks(values.shape):
            part = values[rows]
            if undo != "none":
                here = affine.part(values.shape, rows)
                part = (here.invert_scale if undo == "scale" else here.invert)(part)
            if target.dtype.kind in "ui":
                part, lost = to_integers(part, target.dtype)
                self.saturated += lost
            elif target.dtype.itemsize < part.dtype.itemsize:
                part, lost = within(part, target.dtype)
                self.saturated += lost
            target[rows] = part

    @property
    def framed(self) -> bool:
        """Whether its steps need frames of which all tiles are there."""
        return any(step.id not in POINTWISE for step in self.steps)

    def finish(
        self, where: tuple[int, int, int, int], others: Mapping[str, NDArray[Any]]
    ) -> None:
        """Do with a frame, of which all tiles are there, what is left to do.

        Parameters
        ----------
        where
            As in `write`.
        others
            Frames that steps may refer to, (C, [Z,] Y, X).
        """
        if self.framed:
            s, t, number, plane = where
            channels = slice(number * self.channels, (number + 1) * self.channels)
            z = plane if self.flat else slice(None)
            view = canonical(self.pixels, self.axes)[s, t, channels, z]
            view[...] = apply(self.steps, np.array(view), others)

    def _index(
        self, where: tuple[int, int, int, int], cuts: Mapping[str, Cut]
    ) -> tuple[int | slice, ...]:
        """Place of a tile in an image of STCZYX."""
        s, t, number, plane = where
        channels = slice(number * self.channels, (number + 1) * self.channels)
        z: int | slice = plane
        if "Z" in cuts:
            z = cuts["Z"].write if self.keeps_z else 0
        return s, t, channels, z, cuts["Y"].write, cuts["X"].write

    def _numbers(self, place: tuple[int | slice, ...]) -> NDArray[np.uint64]:
        """Give every pixel of a tile its number in the image, counted as STCZYX."""
        sizes = canonical(self.pixels, self.axes).shape
        found = np.zeros((), np.uint64)
        for part, size in zip(place, sizes, strict=True):
            found = found * np.uint64(size)
            if isinstance(part, slice):
                steps = np.arange(part.start, part.stop, dtype=np.uint64)
                found = found[..., None] + steps
            else:
                found = found + np.uint64(part)
        return found


def blocks(shape: Sequence[int]) -> Iterator[tuple[int | slice, ...]]:
    """Cut a tile (C, [Z,] Y, X) into parts that a cache holds.

    What is computed of them needs no memory of its own each time, which costs more
    than the arithmetic where tiles are large.
    """
    # Along the first axis of which one step is no more than a block; whole beyond it.
    sizes = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    axis = next((a for a, n in enumerate(sizes) if n <= BLOCK), len(shape) - 1)
    steps = max(1, BLOCK // max(sizes[axis], 1))
    for before in np.ndindex(*shape[:axis]):
        for start in range(0, shape[axis], steps):
            yield *before, slice(start, min(start + steps, shape[axis]))


def within(values: NDArray[Any], dtype: np.dtype[Any]) -> tuple[NDArray[Any], int]:
    """Clip to what a floating type holds, and count the pixels that were clipped."""
    top = float(np.finfo(dtype).max)
    lost = int(np.count_nonzero(np.abs(values) > top))
    return (np.clip(values, -top, top) if lost else values), lost


def to_integers(values: NDArray[Any], dtype: np.dtype[Any]) -> tuple[NDArray[Any], int]:
    """Round and clip to an integer type, and count the pixels that were clipped."""
    info = np.iinfo(dtype)
    # float32 holds every integer of 16 bits, float64 those of 32; of 64 bits, take the
    # last that float64 does hold.
    top = float(info.max) if info.bits < 64 else float(np.nextafter(float(info.max), 0))
    rounded = np.rint(values if info.bits <= 16 else values.astype(np.float64))
    if rounded.size and info.min <= rounded.min() and rounded.max() <= top:
        return rounded.astype(dtype), 0
    lost = np.count_nonzero((rounded < info.min) | (rounded > top))
    return np.clip(rounded, float(info.min), top).astype(dtype), int(lost)
