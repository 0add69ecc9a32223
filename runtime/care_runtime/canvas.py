"""Canvas: an output image while its tiles arrive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.axes import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from care_runtime.care import Output
    from care_runtime.normalize import Affine
    from care_runtime.tiling import Cut


@dataclass(slots=True)
class Canvas:
    """An output of the network, placed in an image of its own type and axes.

    Parameters
    ----------
    role
        What the output is.
    letters
        Its axes as the network writes them, such as ``"BCYX"``.
    channels
        Channels the network writes for each of its inputs.
    inverts
        Whether normalization is undone.
    axes
        Of the image, in its own order.
    pixels
        The image.
    saturated
        Pixels so far that its integers could not hold.
    """

    role: Output
    letters: str
    channels: int
    inverts: bool
    axes: str
    pixels: NDArray[Any]
    saturated: int = 0

    def write(
        self,
        x: NDArray[np.float32],
        y: NDArray[np.float32] | None,
        affine: Affine,
        where: tuple[int, int, int, int],
        cuts: Mapping[str, Cut],
    ) -> None:
        """Undo the normalization of a tile and put its exact part in place.

        Parameters
        ----------
        x
            The normalized tile that the network saw, (C, [Z,] Y, X).
        y
            What it answered, in the axes of the output; None for a blank tile.
        affine
            The tile's normalization.
        where
            Sample, time point, number of the network input among the channels, plane.
        cuts
            The tile by axis.
        """
        values = self._answer(x, y, affine.blank)
        keep = tuple(cuts[a].keep for a in "ZYX" if a in cuts and a in self.letters)
        values = values[(slice(None), *keep)]
        if affine.low.ndim > values.ndim:  # the network projected Z
            affine = affine.plane(0)
        if self.inverts and self.role.undo == "affine":
            values = affine.invert(values)
        elif self.inverts and self.role.undo == "scale":
            values = affine.invert_scale(values)
        if self.pixels.dtype.kind in "ui":
            values, lost = to_integers(values, self.pixels.dtype)
            self.saturated += lost
        canonical(self.pixels, self.axes)[self._index(where, cuts)] = values

    def _answer(
        self,
        x: NDArray[np.float32],
        y: NDArray[np.float32] | None,
        blank: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        """Order an answer as C, (Z,) Y, X; blank channels stay as they are."""
        order = [a for a in "BCZYX" if a in self.letters]
        if y is not None:
            y = y.transpose([self.letters.index(a) for a in order])[0]
            y = y if "C" in order else y[None]
        else:
            lost_z = x.ndim == 4 and "Z" not in order
            y = np.zeros((self.channels, *x.shape[2 if lost_z else 1 :]), np.float32)
        unchanged = self.role.undo == "affine" and y.shape == x.shape
        return np.where(blank, x, y) if unchanged and blank.any() else y

    def _index(
        self, where: tuple[int, int, int, int], cuts: Mapping[str, Cut]
    ) -> tuple[int | slice, ...]:
        """Place of a tile in an image of STCZYX."""
        s, t, number, plane = where
        channels = slice(number * self.channels, (number + 1) * self.channels)
        z: int | slice = plane
        if "Z" in cuts:
            z = cuts["Z"].write if "Z" in self.letters else 0
        return s, t, channels, z, cuts["Y"].write, cuts["X"].write


def to_integers(values: NDArray[Any], dtype: np.dtype[Any]) -> tuple[NDArray[Any], int]:
    """Round and clip to an integer type, and count the pixels that were clipped."""
    info = np.iinfo(dtype)
    # float32 holds every integer of 16 bits, float64 those of 32; of 64 bits, take the
    # last that float64 does hold.
    top = float(info.max) if info.bits < 64 else float(np.nextafter(float(info.max), 0))
    rounded = np.rint(values if info.bits <= 16 else values.astype(np.float64))
    lost = np.count_nonzero((rounded < info.min) | (rounded > top))
    return np.clip(rounded, float(info.min), top).astype(dtype), int(lost)
