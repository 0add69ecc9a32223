"""Runs: part of an array that lies in a file as it is, read without mapping it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.source import Window

SHORT = 1 << 12
"""Bytes of a run below which it is read together with others."""

WIDE = 1 << 15
"""Bytes between the beginnings of two runs above which they are read one by one."""

SLAB = 1 << 22
"""Bytes that are read at once, of which some are needed."""


def read(
    path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any], part: Window
) -> NDArray[Any]:
    """Read a part of an array in C order.

    A map would take what it shows into the memory of the process, and end the process
    if another one cuts the file short.

    Parameters
    ----------
    path, offset
        The file, and its byte at which the array begins.
    shape, dtype
        Of the array.
    part
        From and to along each axis.

    Raises
    ------
    FileError
        If the file ends before.
    """
    out = np.empty([p.stop - p.start for p in part], dtype)
    if not out.size:
        return out
    # The last axes that are read whole are one run, with a range of the one before.
    tail = len(shape)
    while tail and out.shape[tail - 1] == shape[tail - 1]:
        tail -= 1
    lead = max(tail - 1, 0)
    strides = [math.prod(shape[i + 1 :]) * dtype.itemsize for i in range(len(shape))]
    first = offset + sum(p.start * n for p, n in zip(part, strides, strict=True))
    # Short runs are read with what lies between them: by far the most of an array of
    # Fortran, of which a plane is runs of one pixel.
    axis = lead
    while axis and _span(out[(0,) * axis], strides) < SHORT:
        if strides[axis - 1] > WIDE:
            break
        axis -= 1
    with path.open("rb", buffering=0) as file:
        for index in np.ndindex(*out.shape[:axis]):
            here = first + sum(i * n for i, n in zip(index, strides, strict=False))
            if axis == lead:
                file.seek(here)
                _fill(file, out[index].reshape(-1).view(np.uint8).data, path)
                continue
            rows = max(1, SLAB // strides[axis])
            for row in range(0, out.shape[axis], rows):
                into = out[index][row : row + rows]
                slab = bytearray(_span(into, strides))
                file.seek(here + row * strides[axis])
                _fill(file, memoryview(slab), path)
                into[...] = np.ndarray(into.shape, dtype, slab, 0, strides[axis:])
    return out


def _span(part: NDArray[Any], strides: Sequence[int]) -> int:
    """Count the bytes of the file from the first pixel of a part to its last."""
    steps = strides[len(strides) - part.ndim :]
    lengths = zip(part.shape, steps, strict=True)
    before: int = sum((size - 1) * step for size, step in lengths)
    return before + part.itemsize


def _fill(file: Any, into: memoryview, path: Path) -> None:
    filled = 0
    while filled < len(into):
        count = file.readinto(into[filled:])
        if not count:
            msg = (
                f"expected {len(into) - filled} bytes more in {path}, found its end: "
                "it was cut short; copy it again from where it was recorded"
            )
            raise FileError(msg)
        filled += count
