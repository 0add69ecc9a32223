"""Percentiles: measured in passes over the pixels, of which no copy is held."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import cores
from care_runtime.errors import ImageError
from care_runtime.pixels import chunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Parts = Callable[[], Iterable["NDArray[Any]"]]
"""Goes through all pixels once a call, in parts of any shape and of one type."""

DIGIT = 16
"""Bits that are counted in one pass."""

MANY, MOST = 1 << 23, 8
"""Pixels from which on several threads count, and how many do; more wait for memory."""


def percentiles(
    image: NDArray[Any], q: Sequence[float], axes: tuple[int, ...] | None = None
) -> NDArray[np.float64]:
    """Measure percentiles, the same as `numpy.percentile` and without a copy.

    Parameters
    ----------
    image
        Any shape; integer, floating or boolean; also a memory map.
    q
        Percentiles, 0 to 100.
    axes
        Axes to measure over, all by default; the others keep their length.

    Returns
    -------
    numpy.ndarray
        Shape ``(len(q), *kept)``, where the axes measured over have length 1.
    """
    axes = tuple(range(image.ndim)) if axes is None else axes
    kept = [axis for axis in range(image.ndim) if axis not in axes]
    shape = [image.shape[axis] if axis in kept else 1 for axis in range(image.ndim)]
    lines = image.transpose(kept + list(axes))
    out = np.empty((len(q), *shape), np.float64)
    flat = out.reshape(len(q), -1)
    for column, index in enumerate(np.ndindex(*lines.shape[: len(kept)])):
        flat[:, column] = _measured(lines[index], q)
    return out


def _measured(pixels: NDArray[Any], q: Sequence[float]) -> NDArray[np.float64]:
    """Measure percentiles of an image; all cores count where it is large."""
    threads = cores.cores()
    if not isinstance(pixels, np.ndarray) or pixels.size < MANY or threads == 1:
        return percentiles_of(partial(chunks, pixels), q)
    far = [
        abs(s) if n > 1 else 0
        for s, n in zip(pixels.strides, pixels.shape, strict=True)
    ]
    axis = int(np.argmax(far))  # slabs lie apart in memory
    slabs = np.array_split(pixels, min(threads, MOST), axis)
    search = Search.of(pixels.dtype, q)
    with ThreadPoolExecutor(len(slabs)) as pool:
        while not search.done:
            parts = (partial(chunks, slab) for slab in slabs)
            counts = np.sum(list(pool.map(search.count, parts)), axis=0)
            search = search.narrowed(counts)
    return search.values()


def percentiles_of(parts: Parts, q: Sequence[float]) -> NDArray[np.float64]:
    """Measure percentiles of pixels that come in parts, the same as `numpy.percentile`.

    Order statistics are found by radix selection. Pixels become integers of the same
    order, of which the first 16 bits are counted in the first pass; the next 16 bits of
    those that begin as an order statistic does are counted in the next. This is exact
    for every distribution, and takes one pass for each 16 bits of the type. What is
    held is one part and at most ``2 + 2 * len(q)`` histograms of 2**16 counts.

    Parameters
    ----------
    parts
        Goes through all pixels once a call.
    q
        Percentiles, 0 to 100.

    Returns
    -------
    numpy.ndarray
        Shape ``(len(q),)``; NaN if any pixel is.

    Raises
    ------
    ImageError
        If there are no pixels.
    """
    search = Search.of(_type(parts), q)
    while not search.done:
        search = search.narrowed(search.count(parts))
    return search.values()


@dataclass(frozen=True, slots=True)
class Search:
    """A radix selection between two passes; parts may be counted on many machines.

    Parameters
    ----------
    dtype
        In which pixels are ordered; see `ordered`.
    q
        Percentiles, 0 to 100.
    left
        Bits of the pixels that are still to be counted.
    heads, ranks
        Of every order statistic the bits that are known, and its rank among the pixels
        that begin with them.
    position
        Of each percentile among all pixels, which are counted in the first pass.
    """

    dtype: np.dtype[Any]
    q: tuple[float, ...]
    left: int
    heads: NDArray[np.uint64]
    ranks: NDArray[np.int64]
    position: NDArray[np.float64]

    @classmethod
    def of(cls, dtype: np.dtype[Any], q: Sequence[float]) -> Search:
        """Begin with pixels of a type, of which nothing is known."""
        dtype, none = ordered(dtype), np.zeros(0)
        heads = np.zeros(1, np.uint64)
        bits = 8 * dtype.itemsize
        return cls(dtype, tuple(q), bits, heads, none.astype(np.int64), none)

    @property
    def done(self) -> bool:
        """Whether no pass is left."""
        return self.left == 0

    @property
    def passes(self) -> int:
        """Passes that are left."""
        return -(-self.left // DIGIT)

    def count(self, parts: Parts) -> NDArray[np.int64]:
        """Go through some of the pixels; the counts of all parts are to be added."""
        return _count(parts, self.dtype, np.unique(self.heads), self._shift)

    def narrowed(self, counts: NDArray[np.int64]) -> Search:
        """Take the counts of all pixels."""
        position, ranks = self.position, self.ranks
        if not ranks.size:
            last = int(counts.sum()) - 1
            position = last * (np.asarray(self.q, np.float64) / 100)
            # The least and the greatest are looked at too, for NaN are sorted there.
            ends = np.floor(position), np.ceil(position)
            ranks = np.array([0, *ends[0], *ends[1], last], np.int64)
        heads = np.broadcast_to(self.heads, ranks.shape)
        row = np.unique(heads, return_inverse=True)[1]
        digits, ranks = _place(ranks, counts, row)
        heads = heads << np.uint64(self.left - self._shift) | digits
        return replace(
            self, left=self._shift, heads=heads, ranks=ranks, position=position
        )

    def values(self) -> NDArray[np.float64]:
        """Return the percentiles, shape ``(len(q),)``; NaN if any pixel is."""
        values = _values(self.heads, self.dtype)
        if np.isnan(values[[0, -1]]).any():
            return np.full(len(self.q), np.nan)
        low, high = values[1:-1].reshape(2, -1)
        return _between(low, high, self.position - np.floor(self.position))

    @property
    def _shift(self) -> int:
        return self.left - min(self.left, DIGIT)


def _place(
    ranks: NDArray[np.int64], counts: NDArray[np.int64], row: NDArray[np.intp]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Find the digit of each order statistic, and its rank among those with it."""
    ends = np.cumsum(counts, axis=1)
    found = [
        np.searchsorted(ends[r], n, side="right")
        for r, n in zip(row, ranks, strict=True)
    ]
    digits = np.array(found)
    return digits.astype(np.uint64), ranks - ends[row, digits] + counts[row, digits]


def ordered(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Decide in which type pixels are ordered: their own, unless it is too wide."""
    wide = dtype.kind == "f" and dtype.itemsize > 8
    return np.dtype(np.float64) if wide else dtype.newbyteorder("=")


def _type(parts: Parts) -> np.dtype[Any]:
    """Take the type of the pixels that come first."""
    for part in parts():
        if part.size:
            return ordered(part.dtype)
    msg = "expected pixels to measure percentiles of, found none"
    raise ImageError(msg)


def _count(
    parts: Parts, dtype: np.dtype[Any], heads: NDArray[np.uint64], shift: int
) -> NDArray[np.int64]:
    """Count the digit above `shift`, one row for each head that comes before it."""
    digit = min(8 * dtype.itemsize, DIGIT)
    counts = np.zeros((len(heads), 1 << digit), np.int64)
    for part in parts():
        keys = _keys(part.astype(dtype, copy=False)).ravel(order="K")
        if shift + digit == 8 * keys.itemsize:
            if not shift:  # they are their own digits
                counts[0] += np.bincount(keys, minlength=counts.shape[1])
                continue
            digits = (keys >> shift).astype(np.uint16)
            counts[0] += np.bincount(digits, minlength=counts.shape[1])
            continue
        above = keys >> (shift + digit)
        for head, row in zip(heads, counts, strict=True):
            digits = (keys[above == head.astype(keys.dtype)] >> shift).astype(np.uint16)
            if digits.size:
                row += np.bincount(digits, minlength=counts.shape[1])
    return counts


def _keys(pixels: NDArray[Any]) -> NDArray[Any]:
    """Turn pixels into unsigned integers of the same order."""
    size = pixels.dtype.itemsize
    bits: NDArray[Any] = pixels.view(f"u{size}")
    sign = bits.dtype.type(1 << (8 * size - 1))
    if pixels.dtype.kind == "i":
        bits = bits ^ sign
    elif pixels.dtype.kind == "f":
        # All bits of negative numbers are flipped, and the sign of others.
        negative = pixels.view(f"i{size}") >> (8 * size - 1)
        bits = bits ^ (negative.view(bits.dtype) | sign)
    return bits


def _values(keys: NDArray[np.uint64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Turn keys back into pixels, in the type in which numpy interpolates them."""
    bits = keys.astype(f"u{dtype.itemsize}")
    sign = bits.dtype.type(1 << (8 * dtype.itemsize - 1))
    if dtype.kind == "i":
        bits = bits ^ sign
    elif dtype.kind == "f":
        bits = np.where(bits & sign, bits ^ sign, ~bits)
    return bits.view(dtype).astype(np.promote_types(dtype, np.float32))


def _between(
    low: NDArray[Any], high: NDArray[Any], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interpolate as numpy does, from the nearer end."""
    step = high - low
    near_low, near_high = low + step * weight, high - step * (1 - weight)
    return np.asarray(np.where(weight < 0.5, near_low, near_high), np.float64)
