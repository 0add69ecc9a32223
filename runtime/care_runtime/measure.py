"""Measurement: the affine map of every network input of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.normalize import Affine, percentiles
from care_runtime.resample import gather, samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from care_runtime.care import Resample
    from care_runtime.job import Job


def measured(
    view: NDArray[Any], job: Job, resample: Resample | None
) -> Iterator[tuple[tuple[int, int, int], Affine]]:
    """Go through the network inputs of an image with the normalization of each.

    Parameters
    ----------
    view
        The image as STCZYX.
    job
        What is to be done with it.
    resample
        Where it comes before normalization, percentiles are of the resampled image.

    Yields
    ------
    (sample, time, number), affine
        `number` counts the channels, or groups of channels that are read together.
    """
    first = resample is not None and resample.when == "before" and job.measures
    stretch = job.factors if first else {}
    rounded = resample is not None and resample.rounds(view.dtype)
    movies: dict[tuple[int, int], Affine] = {}
    for s, t, number in job.inputs():
        channels = slice(number * job.channels, (number + 1) * job.channels)
        if "T" not in job.normalization.axes:
            frame = _stretched(view[s, t : t + 1, channels], stretch, round_=rounded)
            yield (s, t, number), _affine(frame, job)
            continue
        if (s, number) not in movies:
            movie = _stretched(view[s, :, channels], stretch, round_=rounded)
            movies[s, number] = _affine(movie, job)
        yield (s, t, number), movies[s, number]


def _affine(movie: NDArray[Any], job: Job) -> Affine:
    """Measure an image (T, C, Z, Y, X); the map has shape (C, Z or 1, 1, 1)."""
    shape = (job.channels, 1, 1, 1)
    if job.values is not None:
        return Affine.between(*(np.full(shape, value) for value in job.values))
    q = job.normalization.percentiles
    if q is None:
        return Affine.between(np.zeros(shape), np.ones(shape))
    over = (0, *("TCZYX".index(a) for a in job.normalization.axes if a != "T"))
    low, high = percentiles(movie, q, over)[:, 0]
    return Affine.between(low, high)


def _stretched(
    movie: NDArray[Any], factors: Mapping[str, float], *, round_: bool
) -> NDArray[Any]:
    """Resample an image (T, C, Z, Y, X) as a whole."""
    if not factors:
        return movie
    lines = [
        samples(n, factors.get(a, 1.0))
        for a, n in zip("CZYX", movie.shape[1:], strict=True)
    ]
    return gather(movie, lines, round_=round_)
