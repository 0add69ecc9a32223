"""Graph: a restoration as tasks by name, as dask takes them; it imports no dask.

Every pixel is asked for twice, by a task that counts it for the percentiles and by the
tasks that restore it, and nothing lies in memory between: a task for each block of the
plan reads the pixels its tiles see.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate, product
from operator import getitem
from typing import TYPE_CHECKING, Any, Protocol

from care_runtime import tally, worker
from care_runtime.worker import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from care_runtime.blocks import At, Span
    from care_runtime.source import Source, Window
    from care_runtime.worker import Work

Key = Any
Tasks = dict[Key, Any]

FAN = 8
"""Tallies that are added by one task."""


class Reader(Protocol):
    """Says how a task gets a part of the image."""

    def pieces(
        self, window: Window, tasks: Tasks
    ) -> tuple[list[Any], tuple[Window, ...]]:
        """Return what makes the pieces of a part, and the place of each in it."""
        ...


@dataclass(frozen=True, slots=True)
class Chunked:
    """The chunks of a dask array.

    Parameters
    ----------
    name, chunks
        Of the array.
    prefix
        Name of the tasks that cut pieces out of chunks: only these travel.
    """

    name: str
    chunks: tuple[tuple[int, ...], ...]
    prefix: str

    def pieces(
        self, window: Window, tasks: Tasks
    ) -> tuple[list[Any], tuple[Window, ...]]:
        """Cut them out of the chunks that the part touches."""
        sides = [
            _touched(part, chunks)
            for part, chunks in zip(window, self.chunks, strict=True)
        ]
        values, places = [], []
        for each in product(*sides):
            chunk: Key = (self.name, *(number for number, *_ in each))
            if not all(whole for *_, whole in each):
                cut = tuple(inner for _, inner, _, _ in each)
                key = (self.prefix, len(tasks))
                tasks[key] = (getitem, chunk, cut)
                chunk = key
            values.append(chunk)
            places.append(tuple(outer for _, _, outer, _ in each))
        return values, tuple(places)


def _touched(
    part: slice, chunks: tuple[int, ...]
) -> list[tuple[int, slice, slice, bool]]:
    """List chunks along an axis: number, part of it, its place, and if it is whole."""
    ends = list(accumulate(chunks))
    found = []
    for number in range(bisect_right(ends, part.start), len(chunks)):
        start = ends[number] - chunks[number]
        if start >= part.stop:
            break
        a, b = max(start, part.start), min(ends[number], part.stop)
        if a < b:
            inner = slice(a - start, b - start)
            outer = slice(a - part.start, b - part.start)
            found.append((number, inner, outer, b - a == chunks[number]))
    return found


@dataclass(frozen=True, slots=True)
class Filed:
    """A file, of which every task reads what it needs by itself.

    Parameters
    ----------
    key
        Of the `Source` in the graph.
    """

    key: Key

    def pieces(
        self, window: Window, tasks: Tasks
    ) -> tuple[list[Any], tuple[Window, ...]]:
        """Read the part within the task."""
        whole = tuple(slice(0, part.stop - part.start) for part in window)
        return [(_load, self.key, Part(window))], (whole,)


@dataclass(frozen=True, slots=True)
class Part:
    """A window, wrapped so that dask does not look into it."""

    window: Window


def _load(source: Source, part: Part) -> Any:
    return source.window(part.window)


@dataclass(frozen=True, slots=True)
class Graph:
    """The tasks of a restoration.

    Parameters
    ----------
    measure, restore
        Tasks of the percentiles, and of the blocks, which refer to them.
    blank, clipped
        Tasks that count channels without contrast and clipped pixels, in a line.
    outputs
        Tasks of the chunks of every output, and their sizes along its axes.
    """

    measure: Tasks
    restore: Tasks
    blank: Tasks
    clipped: Tasks
    outputs: list[tuple[Tasks, tuple[tuple[int, ...], ...]]] = field(
        default_factory=list
    )


def build(
    work: Work, dtype: np.dtype[Any], token: str, readers: tuple[Reader, Reader]
) -> Graph:
    """Write down all tasks.

    Parameters
    ----------
    work
        What is to be done.
    dtype
        Of the image.
    token
        Part of the names of all tasks.
    readers
        How the tasks that count, and those that restore, get their pixels.
    """
    work_key = f"care-work-{token}"
    measure: Tasks = {work_key: work}
    maps = _maps(work, work_key, dtype, token, measure, readers[0])
    restore: Tasks = {}
    graph = Graph(measure, restore, {}, {})
    for canvas in work.canvases:
        graph.outputs.append(({}, _chunks(work, canvas.axes, canvas.channels)))
    spans = work.blocks.restored
    for number, at in enumerate(work.blocks.places(spans)):
        window = _window(work, at, spans)
        values, places = readers[1].pieces(window, restore)
        task = Task(at, tuple(p.stop - p.start for p in window), places)
        key = (f"care-restore-{token}", *at)
        restore[key] = (worker.restored, work_key, maps[_unit(work, at)], task, values)
        graph.clipped[f"care-clipped-{token}", number] = (worker.number, key)
        index = dict(zip("STCZYX", at, strict=True))
        for place, canvas in enumerate(work.canvases):
            name = output_name(place, token)
            own = (name, *(index[a] for a in canvas.axes))
            graph.outputs[place][0][own] = (getitem, key, place + 1)
    # As often as a map is used, so are its blank channels told.
    used = {
        (*at[:3], unit[3]): unit
        for at in work.blocks.places(spans)
        for unit in [_unit(work, at)]
    }
    for number, unit in enumerate(used.values()):
        graph.blank[f"care-blank-{token}", number] = (worker.blank, maps[unit])
    return graph


def output_name(place: int, token: str) -> str:
    """Name the array of an output."""
    return f"care-output{place}-{token}"


def _unit(work: Work, at: At) -> tuple[int, int, int, int]:
    """Tell what shares its percentiles with a block; -1 is everything along an axis."""
    s, t, c, z = at[:4]
    apart = tally.plane_by_plane(work.job) and not work.job.volume
    return s, -1 if "T" in work.job.normalization.axes else t, c, z if apart else -1


def _maps(
    work: Work,
    work_key: Key,
    dtype: np.dtype[Any],
    token: str,
    tasks: Tasks,
    reader: Reader,
) -> dict[tuple[int, int, int, int], Key]:
    """Write down the tasks that measure, and return those that make the maps."""
    units: dict[tuple[int, int, int, int], list[At]] = {}
    for at in work.blocks.places(work.blocks.measured):
        units.setdefault(_unit(work, at), []).append(at)
    begun = tally.searches(work.job, dtype, range(1))
    passes = max((search.passes for search in begun.values()), default=0)
    if not passes and dtype.kind != "f":
        key = f"care-map-{token}"
        tasks[key] = (worker.mapped, work_key)
        return dict.fromkeys(units, key)
    found = {}
    for unit, ats in units.items():
        state: Key = (f"care-search-{token}", 0, *unit)
        tasks[state] = (worker.begun, work_key, dtype, unit[3])
        for number in range(max(passes, 1)):
            total = _tallied(work, work_key, state, ats, number, token, tasks, reader)
            state = (f"care-search-{token}", number + 1, *unit)
            before = (f"care-search-{token}", number, *unit)
            tasks[state] = (tally.narrow, before, total)
        found[unit] = (f"care-map-{token}", *unit)
        tasks[found[unit]] = (worker.mapped, work_key, state)
    return found


def _tallied(
    work: Work,
    work_key: Key,
    state: Key,
    ats: Sequence[At],
    number: int,
    token: str,
    tasks: Tasks,
    reader: Reader,
) -> Key:
    """Write down one pass over the parts of a frame, and return its sum."""
    keys: list[Key] = []
    spans = work.blocks.measured
    for at in ats:
        window = _window(work, at, spans)
        values, places = reader.pieces(window, tasks)
        task = Task(at, tuple(p.stop - p.start for p in window), places)
        key: Key = (f"care-count-{token}", number, *at)
        tasks[key] = (worker.counted, work_key, state, task, values)
        keys.append(key)
    level = 0
    while len(keys) > 1:
        level += 1
        sums = []
        for i in range(0, len(keys), FAN):
            key = (f"care-add-{token}", number, level, i, *ats[0])
            tasks[key] = (tally.add, keys[i : i + FAN])
            sums.append(key)
        keys = sums
    return keys[0]


def _window(work: Work, at: At, spans: Any) -> Window:
    """Tell which pixels of the image, in its own axes, a block reads."""
    s, t, c = at[:3]
    own: dict[str, slice] = {"S": slice(s, s + 1), "T": slice(t, t + 1)}
    own["C"] = slice(c * work.job.channels, (c + 1) * work.job.channels)
    for axis, number in zip("ZYX", at[3:], strict=True):
        span: Span = spans[axis][number]
        own[axis] = span.source
    return tuple(own[a] for a in work.axes)


def _chunks(work: Work, axes: str, channels: int) -> tuple[tuple[int, ...], ...]:
    """Sizes of the chunks of an output along each of its axes."""
    frames = dict(zip("STC", work.blocks.frames, strict=True))
    sizes = {a: (1,) * n for a, n in frames.items()}
    sizes["C"] = (channels,) * frames["C"]
    spans = work.blocks.restored
    sizes |= {a: tuple(len(span) for span in spans[a]) for a in "ZYX"}
    return tuple(sizes[a] for a in axes)
