"""Tally: percentiles of a frame whose parts are counted by many tasks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import measure
from care_runtime import pixels as pixels_
from care_runtime.blocks import resamples_first
from care_runtime.normalize import Affine
from care_runtime.percentiles import Search
from care_runtime.resample import samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.blocks import Span
    from care_runtime.job import Job
    from care_runtime.percentiles import Parts

ALL = -1
"""In place of a plane: percentiles are of all planes together."""

Slot = tuple[int, int]
"""Channel and plane, or `ALL`, that percentiles are measured of."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted in some parts of a frame, or of a movie.

    Parameters
    ----------
    counts
        Pixels by the bits that a `Search` looks at, for each image measured on its own.
    bad, size
        Pixels that are NaN or infinite, and all pixels.
    """

    counts: Mapping[Slot, NDArray[np.int64]]
    bad: int
    size: int


def searches(job: Job, dtype: np.dtype[Any], planes: range) -> dict[Slot, Search]:
    """Begin to look for the percentiles of a frame; none where grey values are given.

    Parameters
    ----------
    job
        What is to be done.
    dtype
        Of the image.
    planes
        Those that the part of the image has, where each is measured on its own.
    """
    q = job.normalization.percentiles
    if job.values is not None or q is None:
        return {}
    begun = Search.of(_counted(job, dtype), q)
    each = planes if plane_by_plane(job) else [ALL]
    return {(c, z): begun for c in range(job.channels) for z in each}


def plane_by_plane(job: Job) -> bool:
    """Whether every plane is measured on its own."""
    return "Z" not in job.normalization.axes


def count(
    job: Job,
    searched: Mapping[Slot, Search],
    pixels: NDArray[Any],
    spans: Mapping[str, Span],
) -> Tally:
    """Count a part of a frame.

    Parameters
    ----------
    job
        What is to be done.
    searched
        What is known after the last pass.
    pixels
        The part, (C, Z, Y, X).
    spans
        Where it lies, by axis.
    """
    own = tuple(
        slice(s.own.start - s.source.start, s.own.stop - s.source.start)
        for s in (spans[a] for a in "ZYX")
    )
    mine = pixels[(slice(None), *own)]
    counts = {
        slot: search.count(_parts(job, pixels, spans, slot))
        for slot, search in searched.items()
        if slot[1] == ALL or spans["Z"].first <= slot[1] < spans["Z"].stop
    }
    return Tally(counts, pixels_.unreal(mine), mine.size)


def add(tallies: Sequence[Tally]) -> Tally:
    """Add what was counted in several parts."""
    counts: dict[Slot, NDArray[np.int64]] = {}
    for tally in tallies:
        for slot, found in tally.counts.items():
            counts[slot] = counts[slot] + found if slot in counts else found
    bad, size = (sum(getattr(t, name) for t in tallies) for name in ("bad", "size"))
    return Tally(counts, bad, size)


def narrow(searched: Mapping[Slot, Search], tally: Tally) -> dict[Slot, Search]:
    """Take what was counted in all parts.

    Raises
    ------
    ImageError
        If pixels are NaN or infinite; their count is given.
    """
    pixels_.require_finite(tally.bad, tally.size)
    return {slot: s.narrowed(tally.counts[slot]) for slot, s in searched.items()}


def affine(job: Job, searched: Mapping[Slot, Search]) -> Affine:
    """Make the map of a frame, of shape (C, Z or 1, 1, 1)."""
    if not searched:
        return measure.fixed(job, job.channels)
    places = [sorted({slot[i] for slot in searched}) for i in (0, 1)]
    low, high = np.empty((2, *(len(each) for each in places), 1, 1))
    for slot, search in searched.items():
        at = places[0].index(slot[0]), places[1].index(slot[1]), 0, 0
        low[at], high[at] = search.values()
    return Affine.between(low, high)


def _counted(job: Job, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Decide the type of what is counted, which is stretched before in some models."""
    resample = job.resample
    if resample is None or not resamples_first(job):
        return dtype
    axis = resample.axis.upper()
    exact = np.promote_types(dtype, np.float32) == np.float32
    if job.stretched(axis) == job.sizes[axis] or (resample.rounds(dtype) and exact):
        return dtype
    return np.dtype(np.float32)


def _parts(
    job: Job, pixels: NDArray[Any], spans: Mapping[str, Span], slot: Slot
) -> Parts:
    """Go through the pixels of a part that belong to an image measured on its own."""
    c, z = slot
    at = z - spans["Z"].first
    part = slice(None) if z == ALL else slice(at, at + 1)
    resample = job.resample
    if resample is None or not resamples_first(job):
        return partial(pixels_.chunks, pixels[c, part])
    window = [
        samples(job.sizes[a], job.factors.get(a, 1.0))[
            spans[a].first : spans[a].stop
        ].shifted(spans[a].source.start)
        for a in "ZYX"
    ]
    window[0] = window[0][part]
    rounded = resample.rounds(pixels.dtype)
    return partial(_iterated, pixels[None, c], window, rounded)


def _iterated(movie: NDArray[Any], window: Any, rounded: bool) -> Iterator[Any]:
    return measure.stretched_parts(movie, window, round_=rounded)
