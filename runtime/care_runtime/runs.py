"""Runs: part of an array that lies in a file as it is, read without mapping it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.source import Window


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
    with path.open("rb", buffering=0) as file:
        for index in np.ndindex(*out.shape[:lead]):
            starts = [p.start + i for p, i in zip(part, index, strict=False)]
            starts += [p.start for p in part[lead:]]
            here = sum(a * b for a, b in zip(starts, strides, strict=True))
            file.seek(offset + here)
            _fill(file, out[index].reshape(-1).view(np.uint8).data, path)
    return out


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
