"""Stored: an output image while it is made, in memory or in a raw file."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import runs
from care_runtime.files import unwritable
from care_runtime.scratch import LARGE, reserve

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.source import Window

SHOWN = 1 << 27
"""Bytes that are written through one map: what it shows counts as memory."""


@dataclass(slots=True)
class Stored:
    """A base of lazy arrays that survives the process once it is committed.

    Small images are held in memory, and reach the file when they are committed; large
    ones lie in the file alone, of which what was written last is mapped.

    Parameters
    ----------
    path
        Raw file, in C order and the order of bytes of this machine.
    shape, dtype
        Of the image.
    large
        Bytes from which it lies in the file alone.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    large: int = LARGE
    _held: NDArray[Any] | None = None
    _changed: list[Window] = field(default_factory=list)
    _map: np.memmap[Any, Any] | None = None
    _shown: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def held(self) -> bool:
        """Whether it is in memory."""
        return self._held is not None

    @property
    def there(self) -> bool:
        """Whether a file of its size was committed before."""
        try:
            return self.path.stat().st_size == self.nbytes
        except OSError:
            return False

    def open(self) -> None:
        """Take what was committed before, or make room.

        Raises
        ------
        FileError
            If the disk has no room.
        """
        if self.nbytes < self.large:
            found = np.fromfile(self.path, self.dtype) if self.there else None
            self._held = (
                np.zeros(self.shape, self.dtype)
                if found is None
                else found.reshape(self.shape)
            )
        elif not self.there:
            self._make()

    def read(self, part: Window) -> NDArray[Any]:
        """Read a part."""
        if self._held is not None:
            return self._held[part]
        try:
            return runs.read(self.path, 0, self.shape, self.dtype, part)
        except OSError as error:  # somebody removed its folder
            raise unwritable(self.path, error) from error

    def write(self, part: Window, values: NDArray[Any]) -> None:
        """Write a part."""
        if self._held is None:
            self._mapped()[part] = values
            self._shown += values.nbytes
            if self._shown >= SHOWN:
                self.close()
            return
        self._held[part] = values
        self._changed.append(part)

    def commit(self) -> None:
        """Have everything on the disk that was written until now.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        changed = list(self._changed)
        if self._held is not None and not self.path.exists():
            self._make()
        if self._held is not None and changed:
            mapped = self._mapped()
            for part in changed:
                mapped[part] = self._held[part]
        if self._map is not None:
            self._map.flush()
        try:
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error
        del self._changed[: len(changed)]

    def close(self) -> None:
        """Show nothing of the file; what was written stays in it."""
        self._map, self._shown = None, 0

    def _mapped(self) -> np.memmap[Any, Any]:
        if self._map is None:
            try:
                self._map = np.memmap(self.path, self.dtype, "r+", shape=self.shape)
            except OSError as error:
                raise unwritable(self.path, error) from error
        return self._map

    def _make(self) -> None:
        """Take the room at once: a disk that is full later would end the process."""
        try:
            with self.path.open("wb") as file:
                reserve(file.fileno(), self.nbytes)
        except OSError as error:
            self.path.unlink(missing_ok=True)
            raise unwritable(self.path, error) from error
