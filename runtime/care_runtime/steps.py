"""Steps: the tiles of a job that are left to do, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.measure import measured
from care_runtime.operations import apply
from care_runtime.resample import samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.job import Job
    from care_runtime.ledger import Done
    from care_runtime.normalize import Affine
    from care_runtime.resample import Samples
    from care_runtime.tiling import Cut


@dataclass(frozen=True, slots=True)
class Step:
    """One tile, and all it is made from.

    Parameters
    ----------
    number
        Of the tile in the whole job, from 1.
    where
        Sample, time point, number of the network input among the channels, plane.
    cuts
        The tile by axis.
    window
        What the tile reads along each axis, stretched if the spec says so.
    frames
        What each input of the network reads from, (C, [Z,] Y, X).
    came
        The frames by input, before the model's own steps.
    affines
        Normalization of each input.
    last
        Whether it ends its frame.
    blank
        Channels of the first input without contrast, among the frames that were begun
        up to this one.
    """

    number: int
    where: tuple[int, int, int, int]
    cuts: Mapping[str, Cut]
    window: Sequence[Samples]
    frames: Sequence[NDArray[Any]]
    came: Mapping[str, NDArray[Any]]
    affines: Sequence[Affine]
    last: bool
    blank: int


def left(
    views: Sequence[NDArray[Any]], job: Job, known: Done, *, framed: bool = False
) -> Iterator[Step]:
    """Go through the tiles that are left to do; frames are measured on the way.

    Parameters
    ----------
    views
        The image of each input of the network, as STCZYX.
    job
        What is to be done.
    known
        What was done before.
    framed
        Whether frames are changed as a whole in the end, and so read as a whole.
    """
    lines = {
        a: samples(
            job.sizes[a], job.factors.get(a, 1.0), before=n.before, padded=n.padded
        )
        for a, n in job.plan.lines.items()
    }
    each_frame = len(job.planes) * len(job.plan)
    begun, whole = -(-known.tiles // each_frame), known.tiles // each_frame
    blank, done = known.blank, 0
    held = framed or bool(job.steps)
    for count, (where, affines) in enumerate(_measured(views, job, skip=whole)):
        if affines is None:
            done += each_frame
            continue
        if count >= begun:
            blank += int(np.count_nonzero(affines[0].blank))
        for plane in job.planes:
            end = done + len(job.plan)
            if end <= known.tiles:
                done = end
                continue
            here = [each if job.volume else each.plane(plane) for each in affines]
            at = None if job.volume else plane
            came = {
                feed.id: feed.frame(view, where, at)
                for feed, view in zip(job.feeds, views, strict=True)
            }
            if held:
                came = {name: np.asarray(frame) for name, frame in came.items()}
            frames = _stepped(job, came)
            for cuts in job.plan:
                done += 1
                if done <= known.tiles:
                    continue
                window = [lines[a][cut.read] for a, cut in cuts.items()]
                placed, last = (*where, plane), done == end
                yield Step(done, placed, cuts, window, frames, came, here, last, blank)


def _measured(
    views: Sequence[NDArray[Any]], job: Job, *, skip: int
) -> Iterator[tuple[tuple[int, int, int], list[Affine] | None]]:
    """Go through what the network reads with the normalization of every input."""
    each = [
        measured(view, job, job.resample, feed=feed, skip=skip)
        for view, feed in zip(views, job.feeds, strict=True)
    ]
    for found in zip(*each, strict=True):
        affines = [affine for _, affine in found if affine is not None]
        yield found[0][0], affines or None


def _stepped(job: Job, came: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Take the steps of every input, which may refer to others as they came."""
    return [
        apply(
            feed.steps,
            came[feed.id],
            {name: frame for name, frame in came.items() if name != feed.id},
        )
        for feed in job.feeds
    ]
