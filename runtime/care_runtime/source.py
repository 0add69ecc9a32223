"""Source: an image in a file, of which nothing is read yet."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import FileError, ImageError
from care_runtime.image import Calibration, Image
from care_runtime.naming import native_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.output import Empty

Window = tuple[slice, ...]
"""Part of an image: from and to along each axis, by steps of one."""

Load = Callable[[Window, "Empty"], "NDArray[Any]"]
"""Reads a part of an image; arrays that are no view of a file come from `Empty`."""

BLOCK = 1 << 24
"""Bytes that are held while a part is copied."""


@dataclass(frozen=True, slots=True)
class Source:
    """An image that is read part by part; `Image` has the meaning of its facts.

    Parameters
    ----------
    where
        Its file or address, for errors.
    axes
        Letters of ``STCZYX`` in the order of the dimensions.
    shape, dtype
        Of the pixels as they are read.
    load
        Reads a part; it has no state and may be called by several threads.
    calibration
        What the file says of the image.
    cut
        What is left out of the file's image, in words.
    grid
        Pixels along each axis that are decoded together; empty where none are.
    across
        Whether the file has the last axis first, so that a plane lies all over it.
    """

    where: str
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Load
    calibration: Calibration = field(default_factory=Calibration)
    cut: str = ""
    grid: tuple[int, ...] = ()
    across: bool = False

    @property
    def voxel(self) -> Mapping[str, float]:
        """Pixel size by axis."""
        return self.calibration.voxel

    @property
    def channels(self) -> tuple[str, ...]:
        """Channel names, empty or one for each channel."""
        return self.calibration.channels

    @property
    def whole(self) -> Window:
        """The part that is everything."""
        return tuple(slice(0, n) for n in self.shape)

    def window(self, part: Window, empty: Empty = np.empty) -> NDArray[Any]:
        """Read a part of the pixels, in the type of this machine.

        Parameters
        ----------
        part
            From and to along each axis.
        empty
            Makes the array, unless the part is a view of a file.

        Raises
        ------
        FileError
            If the file cannot be read, or holds less than it says.
        """
        expected = tuple(p.stop - p.start for p in part)
        found = converted(self.load(part, empty), self.dtype, empty)
        if found.shape != expected:
            msg = (
                f"expected an array of shape {expected} in {self.where}, found "
                f"{found.shape}; copy it again from where it was recorded"
            )
            raise FileError(msg)
        return found

    def without(self, letters: str) -> Source:
        """Leave out those of some axes that are 1 long."""
        found = self
        for letter in letters:
            at = found.axes.find(letter)
            if at >= 0 and found.shape[at] == 1:
                found = found._dropped(at)
        return found

    def _dropped(self, at: int) -> Source:
        def load(window: Window, empty: Empty) -> NDArray[Any]:
            return self.load((*window[:at], slice(0, 1), *window[at:]), empty).squeeze(
                at
            )

        def rest(values: Any) -> Any:
            return values[:at] + values[at + 1 :]

        axes, shape, grid = rest(self.axes), rest(self.shape), rest(self.grid)
        said = self.calibration
        if self.axes[at] == "T":
            said = replace(said, interval=None)
        return replace(
            self, axes=axes, shape=shape, grid=grid, load=load, calibration=said
        )

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self, empty: Empty = np.empty) -> Image:
        """Read all pixels; see `window`."""
        return self.image(self.window(self.whole, empty))

    def turned(self, empty: Empty) -> Image:
        """Read all pixels once, block by block, whatever their order in the file."""
        out = empty(self.shape, self.dtype)
        for block in blocks(self.shape, self.dtype.itemsize, self.grid):
            out[block] = self.window(block)
        return self.image(out)

    def image(self, pixels: NDArray[Any]) -> Image:
        """Give pixels what the file says of them."""
        said = self.calibration
        return Image(
            pixels=pixels,
            axes=self.axes,
            voxel=said.voxel,
            unit=said.unit,
            interval=said.interval,
            channels=said.channels,
            flavour=said.flavour,
            name=said.name,
            look=said.look,
            cut=self.cut,
            origin=said.origin,
        )


def require_real(dtype: np.dtype[Any], where: str) -> np.dtype[Any]:
    """Return the type in which pixels are read.

    Raises
    ------
    ImageError
        If they are no integers or real numbers.
    """
    if dtype.kind not in "buif":
        msg = (
            f"expected integers or real numbers in {where}, found {dtype}; save "
            "their magnitude, or one part, as 32-bit"
        )
        raise ImageError(msg)
    return native_type(dtype)


def converted(pixels: NDArray[Any], dtype: np.dtype[Any], empty: Empty) -> NDArray[Any]:
    """Return pixels in a type; a copy comes from `empty` and is made block by block."""
    if pixels.dtype == dtype:
        return pixels
    out = empty(pixels.shape, dtype)
    for block in blocks(pixels.shape, pixels.dtype.itemsize):
        out[block] = pixels[block]
    return out


def blocks(
    shape: Sequence[int], itemsize: int, grid: Sequence[int] = ()
) -> Iterator[Window]:
    """Cut an array into blocks of about `BLOCK` bytes, on a grid if there is one.

    Blocks grow from the last axis on, so that they are runs of the memory.
    """
    grid = grid or [1] * len(shape)
    left = max(BLOCK // itemsize, 1)
    steps = list(grid)
    for n in grid:
        left //= max(n, 1)
    for axis in reversed(range(len(shape))):
        times = max(1, min(left, -(-shape[axis] // grid[axis])))
        steps[axis] = grid[axis] * times
        left //= times
    counts = [-(-n // step) for n, step in zip(shape, steps, strict=True)]
    for index in np.ndindex(*counts):
        yield tuple(
            slice(i * step, min((i + 1) * step, n))
            for i, step, n in zip(index, steps, shape, strict=True)
        )


def aligned(part: Window, itemsize: int, grid: Sequence[int]) -> Iterator[Window]:
    """Cut a part of an array into blocks whose borders lie on a grid."""
    first = [p.start // n * n for p, n in zip(part, grid, strict=True)]
    shape = [p.stop - f for p, f in zip(part, first, strict=True)]
    for block in blocks(shape, itemsize, grid):
        yield tuple(
            slice(max(b.start + f, p.start), b.stop + f)
            for b, f, p in zip(block, first, part, strict=True)
        )
