"""Parallel: OME-Zarr whose chunks are written by the workers of a dask cluster."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import zarrwrite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.deferred import Deferred
    from care_runtime.form import Form
    from care_runtime.source import Window
    from care_runtime.zarrwrite import Begun

    Progress = Callable[[int, int], None]

PATIENCE = 30.0
"""Seconds for which tasks that run are waited for when a run is given up."""


@dataclass(frozen=True, slots=True)
class Target:
    """An array to write to.

    Parameters
    ----------
    array, axes
        Of zarr, and what its dimensions are.
    """

    array: Any
    axes: str

    def store(self, part: NDArray[Any], place: Place) -> NDArray[np.float64]:
        """Write a part, and return the extremes of each channel: (1, channels, 2)."""
        at = self.axes.find("C")
        count = self.array.shape[at] if at >= 0 else 1
        self.array[place.window] = np.ascontiguousarray(part)
        found = np.empty((1, count, 2))
        found[...] = np.inf, -np.inf
        here = place.window[at] if at >= 0 else slice(0, 1)
        over = tuple(i for i in range(part.ndim) if i != at)
        found[0, here, 0] = np.fmin.reduce(part, axis=over)
        found[0, here, 1] = np.fmax.reduce(part, axis=over)
        return found


@dataclass(frozen=True, slots=True)
class Place:
    """A window, wrapped so that dask does not look into it."""

    window: Window


@dataclass(frozen=True, slots=True)
class Counts:
    """What is known once all pixels are written.

    Parameters
    ----------
    saturated, blank, flagged
        As those of a `Restored`.
    """

    saturated: int
    blank: int
    flagged: float | None


def write(
    lazy: Deferred,
    where: Mapping[str, Path],
    client: Any,
    *,
    form: Form,
    progress: Progress | None = None,
) -> Counts:
    """Restore, and write every output as OME-Zarr; no half one is left behind.

    The workers write chunks as they are restored, and then smaller copies, into folders
    beside the final places, which they all have to see; no two write to one chunk. When
    all is there, the folders get their names.

    Parameters
    ----------
    lazy
        What is to be restored.
    where
        Folder of each output.
    client
        Of ``distributed``.
    form
        Compression and smaller copies.
    progress
        Called with the number of written parts and of all, after each.

    Raises
    ------
    FileError, AxesError, ImageError, EngineError
        If the image cannot be read, restored or written.
    """
    with ExitStack() as stack:
        # The main image, which comes first, gets its name last.
        made = {
            name: stack.enter_context(zarrwrite.begun(where[name], image, form))
            for name, image in lazy.images.items()
        }
        stored = [_stored(begun) for begun in made.values()]
        counts = [lazy.saturated, lazy.blank]
        counts += [] if lazy.flagged is None else [lazy.flagged]
        found = _computed(client, [*stored, *counts], progress)
        extremes = found[: len(stored)]
        saturated, blank, *flagged = (float(n) for n in found[len(stored) :])
        share = flagged[0] if flagged else None
        for begun, each in zip(made.values(), extremes, strict=True):
            for larger, smaller in pairwise(begun.arrays):
                _computed(client, [_halved(larger, smaller, begun.axes)])
            low, high = each[..., 0].min(0), each[..., 1].max(0)
            begun.describe([*zip(low, high, strict=True)], lazy.facts(share))
    return Counts(int(saturated), int(blank), share)


def _stored(begun: Begun) -> Any:
    """Make the tasks that write the pixels, as a dask array of extremes."""
    from dask.array import Array
    from dask.base import tokenize
    from dask.highlevelgraph import HighLevelGraph

    pixels: Any = begun.pixels
    array, axes = begun.arrays[0], begun.axes
    # A part has whole chunks, and about the size of what a task restored.
    steps = [
        chunk * max(1, round(max(sizes) / chunk))
        for chunk, sizes in zip(array.chunks, pixels.chunks, strict=True)
    ]
    parts = pixels.rechunk(tuple(steps))
    name = f"care-store-{tokenize(object())}"
    target = f"care-target-{name}"
    tasks: dict[Any, Any] = {target: Target(array, axes)}
    for number, (index, window) in enumerate(_windows(parts.chunks)):
        key = (parts.name, *index)
        tasks[name, number, 0, 0] = (Target.store, target, key, Place(window))
    channels = array.shape[axes.index("C")] if "C" in axes else 1
    count = len(tasks) - 1
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=[parts])
    sizes = ((1,) * count, (channels,), (2,))
    return Array(graph, name, chunks=sizes, dtype=np.float64)


def _halved(larger: Any, smaller: Any, axes: str) -> Any:
    """Make the tasks that write a smaller copy, as a dask array of nothing much."""
    from dask.array import Array
    from dask.base import tokenize

    name = f"care-halve-{tokenize(object())}"
    places = [Place(window) for window in zarrwrite.blocks_of(smaller)]
    pair = f"care-pair-{name}"
    tasks: dict[Any, Any] = {pair: Pair(larger, smaller, axes)}
    tasks |= {(name, i): (Pair.halve, pair, place) for i, place in enumerate(places)}
    return Array(tasks, name, chunks=((1,) * len(places),), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two arrays of zarr, the second of half the size."""

    larger: Any
    smaller: Any
    axes: str

    def halve(self, place: Place) -> NDArray[np.int64]:
        """Write a part of the second."""
        zarrwrite.halve(self.larger, self.smaller, self.axes, place.window)
        return np.ones(1, np.int64)


def _windows(
    chunks: Sequence[Sequence[int]],
) -> Iterator[tuple[tuple[int, ...], Window]]:
    """Go through the chunks of a dask array, with their numbers and windows."""
    ends = [np.cumsum([0, *sizes]) for sizes in chunks]
    for index in np.ndindex(*(len(sizes) for sizes in chunks)):
        yield (
            index,
            tuple(
                slice(int(e[i]), int(e[i + 1]))
                for e, i in zip(ends, index, strict=True)
            ),
        )


def _computed(
    client: Any, arrays: list[Any], progress: Progress | None = None
) -> list[NDArray[Any]]:
    """Compute on the cluster; when that is given up, no task goes on writing."""
    from distributed import as_completed, futures_of

    running = client.persist(arrays)
    futures = futures_of(running)
    try:
        for done, future in enumerate(as_completed(futures, loop=client.loop), 1):
            if future.status == "error":
                future.result()
            if progress is not None:
                progress(done, len(futures))
        return list(client.gather(client.compute(running)))
    except BaseException:
        client.cancel(futures, force=True)
        _quiet(client)
        raise


def _quiet(client: Any) -> None:
    """Wait until no task runs any more: it would write into a folder that is gone."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and any(client.processing().values()):
        time.sleep(0.1)
