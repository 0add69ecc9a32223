"""Measurement: the affine map of every network input of an image."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.normalize import Affine
from care_runtime.percentiles import percentiles, percentiles_of
from care_runtime.resample import gather, samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.care import Resample
    from care_runtime.feed import Feed
    from care_runtime.job import Job
    from care_runtime.resample import Samples

BLOCK = 1 << 18
"""Voxels of a resampled image that are held together."""


def measured(
    view: NDArray[Any],
    job: Job,
    resample: Resample | None,
    *,
    feed: Feed | None = None,
    skip: int = 0,
) -> Iterator[tuple[tuple[int, int, int], Affine | None]]:
    """Go through the network inputs of an image with the normalization of each.

    Parameters
    ----------
    view
        The image as STCZYX.
    job
        What is to be done with it.
    resample
        Where it comes before normalization, percentiles are of the resampled image.
    feed
        What the input of the network reads of this image, None for its first.
    skip
        Inputs at the beginning that are not measured: they are done.

    Yields
    ------
    (sample, time, number), affine
        `number` counts the channels, or groups of channels that are read together;
        `affine` is None for those that are skipped.
    """
    first = resample is not None and resample.when == "before"
    factors = job.factors if first else {}
    rounded = resample is not None and resample.rounds(view.dtype)
    feed = feed or job.feeds[0]
    movies: dict[tuple[int, int], Affine] = {}
    for count, (s, t, number) in enumerate(job.inputs()):
        if count < skip:
            yield (s, t, number), None
            continue
        channels = feed.group(number)
        if "T" not in job.normalization.axes:
            frame = view[s, t : t + 1, channels]
            yield (s, t, number), _affine(frame, job, factors, round_=rounded)
            continue
        if (s, number) not in movies:
            movie = view[s, :, channels]
            movies[s, number] = _affine(movie, job, factors, round_=rounded)
        yield (s, t, number), movies[s, number]


def _affine(
    movie: NDArray[Any], job: Job, factors: Mapping[str, float], *, round_: bool
) -> Affine:
    """Measure an image (T, C, Z, Y, X); the map has shape (C, Z or 1, 1, 1)."""
    q = job.normalization.percentiles
    if job.values is not None or q is None:
        return fixed(job, movie.shape[1])
    over = job.normalization.axes
    if factors:
        low, high = resampled(movie, q, over, factors, round_=round_)
    else:
        axes = (0, *("TCZYX".index(a) for a in over if a != "T"))
        low, high = percentiles(movie, q, axes)[:, 0]
    return Affine.between(low, high)


def fixed(job: Job, channels: int) -> Affine:
    """Return the map of a job that measures nothing; it has shape (C, 1, 1, 1)."""
    shape, (low, high) = (channels, 1, 1, 1), job.values or (0.0, 1.0)
    return Affine.between(np.full(shape, low), np.full(shape, high))


def resampled(
    movie: NDArray[Any],
    q: Sequence[float],
    over: str,
    factors: Mapping[str, float],
    *,
    round_: bool = False,
) -> NDArray[np.float64]:
    """Measure percentiles of an image as it is after resampling, block by block.

    Parameters
    ----------
    movie
        The image before, (T, C, Z, Y, X); measured over T in any case.
    q
        Percentiles, 0 to 100.
    over
        Those of ZYX that are measured over.
    factors
        Pixels after per pixel before, by axis.
    round_
        Round interpolated values to integers, as an image of integers would hold them.

    Returns
    -------
    numpy.ndarray
        Shape ``(len(q), C, Z, Y, X)``, where the axes measured over have length 1.
    """
    sizes = dict(zip("ZYX", movie.shape[2:], strict=True))
    lines = {a: samples(n, factors.get(a, 1.0)) for a, n in sizes.items()}
    kept = [1 if a in over else len(line.below) for a, line in lines.items()]
    out = np.empty((len(q), movie.shape[1], *kept), np.float64)
    for c, *at in np.ndindex(*out.shape[1:]):
        window = [
            line if a in over else line[i : i + 1]
            for (a, line), i in zip(lines.items(), at, strict=True)
        ]
        blocks = partial(stretched_parts, movie[:, c], window, round_=round_)
        out[:, c, *at] = percentiles_of(blocks, q)
    return out


def stretched_parts(
    movie: NDArray[Any], window: Sequence[Samples], *, round_: bool
) -> Iterator[NDArray[Any]]:
    """Resample a channel (T, Z, Y, X) in blocks of at most `BLOCK` voxels."""
    # Whole rows, then whole planes, as far as they fit.
    cuts: list[list[slice]] = []
    left = BLOCK
    for line in reversed(window):
        count = len(line.below)
        step = min(count, max(left, 1))
        cuts.insert(0, [slice(i, i + step) for i in range(0, count, step)])
        left //= step
    # Integers that float32 holds exactly are counted as such: one pass instead of two.
    counted = round_ and np.promote_types(movie.dtype, np.float32) == np.float32
    for frame in movie:
        for cut in product(*cuts):
            lines = [line[part] for line, part in zip(window, cut, strict=True)]
            block = gather(frame[None], lines, round_=round_)
            yield block.astype(movie.dtype, copy=False) if counted else block
