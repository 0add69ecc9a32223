"""Lazy: an array whose pixels lie elsewhere, seen through NumPy's own interface."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from care_runtime.errors import FileError, ImageError
from care_runtime.source import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from care_runtime.source import Window


class Base(Protocol):
    """Where pixels lie; parts are from and to along each axis, by steps of one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""

    def read(self, part: Window) -> NDArray[Any]:
        """Read a part."""

    def write(self, part: Window, values: NDArray[Any]) -> None:
        """Write a part."""


@dataclass(frozen=True, slots=True)
class Lazy:
    """A view of pixels that are read when they are needed: by `numpy.asarray`.

    Indexing by numbers, ranges, ``...`` and None, and `transpose`, give further views,
    as they do for arrays; assigning to a part writes it.

    Parameters
    ----------
    base
        Where the pixels lie.
    part
        What is seen of it.
    dims
        The base's axis for each axis of the view; None for a new one of length 1.
    dtype
        In which pixels are given.
    """

    base: Base
    part: Window
    dims: tuple[int | None, ...]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each axis."""
        sizes = [p.stop - p.start for p in self.part]
        return tuple(1 if d is None else sizes[d] for d in self.dims)

    @property
    def ndim(self) -> int:
        """Count of the axes."""
        return len(self.dims)

    @property
    def size(self) -> int:
        """Count of the pixels."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        """Length of the first axis."""
        return self.shape[0]

    def __iter__(self) -> Iterator[Lazy]:
        """Go along the first axis."""
        return (self[i] for i in range(len(self)))

    def transpose(self, order: Any) -> Lazy:
        """Put the axes in another order."""
        return replace(self, dims=tuple(self.dims[i] for i in order))

    def astype(self, dtype: Any, copy: bool = True) -> Lazy:
        """Give pixels in another type."""
        return replace(self, dtype=np.dtype(dtype))

    def __getitem__(self, index: Any) -> Lazy:
        """View a part; nothing is read."""
        part, dims = list(self.part), list[int | None]()
        left = iter(self.dims)
        for each in _spelled(index, self.ndim):
            if each is None:
                dims.append(None)
                continue
            dim = next(left)
            start, size = (0, 1) if dim is None else _ends(part[dim])
            if not isinstance(each, slice):
                at = _inside(int(each), size)
                if dim is not None:
                    part[dim] = slice(start + at, start + at + 1)
                continue
            first, last, step = each.indices(size)
            if step != 1 or (dim is None and (first, last) != (0, 1)):
                msg = f"expected parts by steps of one of a lazy array, found {each}"
                raise IndexError(msg)
            if dim is not None:
                part[dim] = slice(start + first, start + max(first, last))
            dims.append(dim)
        return replace(self, part=tuple(part), dims=tuple(dims))

    def __setitem__(self, index: Any, values: Any) -> None:
        """Write a part."""
        view = self[index]
        new = np.broadcast_to(np.asarray(values, view.dtype), view.shape)
        kept = [i for i, d in enumerate(view.dims) if d is not None]
        order = sorted(kept, key=lambda i: cast("int", view.dims[i]))
        shape = [p.stop - p.start for p in view.part]
        rest = [i for i in range(new.ndim) if i not in kept]
        self.base.write(view.part, new.transpose(order + rest).reshape(shape))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read all pixels of the view."""
        found = self.base.read(self.part)
        kept = [d for d in self.dims if d is not None]
        rest = [d for d in range(found.ndim) if d not in kept]
        found = found.transpose(kept + rest).reshape([found.shape[d] for d in kept])
        places = tuple(i for i, d in enumerate(self.dims) if d is None)
        found = np.expand_dims(found, places)
        found = found.astype(self.dtype if dtype is None else dtype, copy=False)
        return found.copy() if copy else found


@dataclass(frozen=True, slots=True)
class Foreign:
    """An array of another library, such as zarr, dask or h5py.

    Parameters
    ----------
    array
        With ``shape``, ``dtype``, parts by ``[...]``, and assignment if it is written.
    """

    array: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return tuple(int(n) for n in self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the array, in the order of this machine."""
        found: np.dtype[Any] = np.dtype(self.array.dtype)
        return found.newbyteorder("=")

    def read(self, part: Window) -> NDArray[Any]:
        """Read a part; dask computes it."""
        found = np.asarray(self.array[part])
        expected = tuple(p.stop - p.start for p in part)
        if found.shape != expected:
            kind = type(self.array).__name__
            msg = (
                f"expected a part of shape {expected} of the {kind}, found "
                f"{found.shape}: give an array of NumPy"
            )
            raise ImageError(msg)
        return found.astype(self.dtype, copy=False)

    def write(self, part: Window, values: NDArray[Any]) -> None:
        """Write a part."""
        try:
            self.array[part] = values
        except Exception as error:  # stores raise anything
            kind, why = type(self.array).__name__, " ".join(str(error).split())[:160]
            msg = (
                f"expected to write into the {kind} that was given for the result, "
                f"found that it refuses ({type(error).__name__}: {why}): open it for "
                "writing, or give another"
            )
            raise FileError(msg) from error


def is_foreign(array: Any) -> bool:
    """Tell whether an array is to be read part by part."""
    if not all(hasattr(array, name) for name in ("shape", "dtype", "__getitem__")):
        return False
    try:
        np.dtype(array.dtype)
    except TypeError:  # torch has types of its own
        return False
    return not isinstance(array, np.ndarray | np.generic)


def view(base: Base) -> NDArray[Any]:
    """See a base as an array; the code that takes arrays takes it as well."""
    part = tuple(slice(0, n) for n in base.shape)
    found = Lazy(base, part, tuple(range(len(part))), base.dtype)
    return cast("NDArray[Any]", found)


def parts(pixels: NDArray[Any], itemsize: int = 0) -> Iterator[NDArray[Any]]:
    """Go through an array in blocks of a few megabytes, each of them in memory."""
    for block in blocks(pixels.shape, itemsize or pixels.dtype.itemsize):
        yield np.asarray(pixels[block])


def held(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the array itself where it is in memory, and a lazy one as it is."""
    inside = isinstance(pixels, Lazy) and getattr(pixels.base, "held", False)
    return np.asarray(pixels) if inside else pixels


def copy(source: NDArray[Any], target: NDArray[Any]) -> None:
    """Copy from one array to another of the same shape, block by block."""
    for block in blocks(source.shape, source.dtype.itemsize):
        target[block] = np.asarray(source[block])


def _spelled(index: Any, ndim: int) -> list[Any]:
    """Write an index out, with a part for every axis."""
    given = list(index) if isinstance(index, tuple) else [index]
    named = sum(each is not None and each is not ... for each in given)
    if named > ndim:
        msg = f"expected an index of at most {ndim} axes, found {named}"
        raise IndexError(msg)
    rest = [slice(None)] * (ndim - named)
    at = next((i for i, each in enumerate(given) if each is ...), len(given))
    return [*given[:at], *rest, *given[at + 1 :]]


def _ends(part: slice) -> tuple[int, int]:
    return part.start, part.stop - part.start


def _inside(at: int, size: int) -> int:
    if not -size <= at < size:
        msg = f"expected an index below {size}, found {at}"
        raise IndexError(msg)
    return at % size
