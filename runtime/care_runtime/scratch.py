"""Scratch: room for images that may be larger than memory."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LARGE = 1 << 28
"""Bytes from which an image lies in a file."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """Makes arrays, small ones in memory and large ones in files that vanish.

    Parameters
    ----------
    folder
        Of the files, on a disk with room: that of the result.
    large
        Bytes from which an array lies in a file.
    """

    folder: Path
    large: int = LARGE

    def __call__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Make an array of a shape and type.

        Raises
        ------
        FileError
            If the disk has no room for it.
        """
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if size < self.large:
            return np.empty(shape, dtype)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder, prefix=".care-") as file:
                reserve(file.fileno(), size)
                return np.memmap(file, dtype, "w+", shape=shape)
        except OSError as error:
            msg = (
                f"expected room for {size >> 20} MB in {self.folder}, where an image "
                f"lies while it is restored, found none ({error.strerror}): make room, "
                "or name an output on another disk"
            )
            raise FileError(msg) from error


def reserve(file: int, size: int) -> None:
    """Take the room at once: a disk that is full later would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    elif sys.platform == "darwin":  # where a longer file has no room of its own yet
        zeros = bytes(1 << 24)
        for start in range(0, size, len(zeros)):
            os.pwrite(file, zeros[: size - start], start)
    else:
        os.truncate(file, size)
