"""Bases of lazy arrays: sources, of which some blocks are kept."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.source import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from care_runtime.source import Source, Window

ROOM = 1 << 28
"""Bytes of a source that are kept, so that neighbouring tiles decode them once."""

UNIT = 1 << 20
"""Bytes that are read at once, at least."""


@dataclass(slots=True)
class Cached:
    """A source of which the blocks that were read last are kept; threads share it.

    Parameters
    ----------
    source
        What is read.
    room
        Bytes that are kept.
    unit
        Bytes of a block, at least; it is made of whole chunks of the source.
    """

    source: Source
    room: int = ROOM
    unit: int = UNIT
    _kept: OrderedDict[tuple[int, ...], NDArray[Any]] = field(
        default_factory=OrderedDict
    )
    _held: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the source."""
        return self.source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the source."""
        return self.source.dtype

    @property
    def steps(self) -> tuple[int, ...]:
        """Shape of a block: chunks, side by side along the last axes."""
        shape, grid = self.source.shape, self.source.grid or (1,) * len(self.shape)
        steps = [max(1, min(g, n)) for g, n in zip(grid, shape, strict=True)]
        size = int(np.prod(steps, dtype=object)) * self.dtype.itemsize
        for axis in reversed(range(len(shape))):
            times = max(1, min(-(-shape[axis] // steps[axis]), self.unit // size))
            steps[axis] = min(steps[axis] * times, shape[axis])
            size *= times
        return tuple(steps)

    def read(self, part: Window) -> NDArray[Any]:
        """Read a part, from blocks that are kept or read now."""
        shape = [p.stop - p.start for p in part]
        size = math.prod(shape) * self.dtype.itemsize
        if size >= BLOCK and math.prod(self.source.grid) == 1:
            return self.source.window(part)  # larger than what tiles share
        out = np.empty(shape, self.dtype)
        for index, block in self._blocks(part):
            both = [
                slice(max(b.start, p.start), min(b.stop, p.stop))
                for b, p in zip(block, part, strict=True)
            ]
            here = _moved(both, [p.start for p in part])
            out[here] = self._block(index, block)[
                _moved(both, [b.start for b in block])
            ]
        return out

    def write(self, part: Window, values: NDArray[Any]) -> None:
        """Refuse: sources are not changed."""
        msg = f"{self.source.where} is read only"
        raise TypeError(msg)

    def _blocks(self, part: Window) -> Iterator[tuple[tuple[int, ...], Window]]:
        steps = self.steps
        if any(p.stop <= p.start for p in part):
            return
        ranges = [
            range(p.start // n, -(-p.stop // n))
            for p, n in zip(part, steps, strict=True)
        ]
        for index in product(*ranges):
            yield (
                index,
                tuple(
                    slice(i * n, min((i + 1) * n, size))
                    for i, n, size in zip(index, steps, self.shape, strict=True)
                ),
            )

    def _block(self, index: tuple[int, ...], block: Window) -> NDArray[Any]:
        with self._lock:
            if index in self._kept:
                self._kept.move_to_end(index)
                return self._kept[index]
        found = self.source.window(block)
        with self._lock:
            if index not in self._kept:
                self._kept[index] = found
                self._held += found.nbytes
            while self._held > self.room and len(self._kept) > 1:
                _, old = self._kept.popitem(last=False)
                self._held -= old.nbytes
        return found


def _moved(part: list[slice], first: list[int]) -> Window:
    return tuple(
        slice(p.start - f, p.stop - f) for p, f in zip(part, first, strict=True)
    )
