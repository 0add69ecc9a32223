"""Blocks: the tiles of a job in groups, each restored by one task on any machine."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING

from care_runtime.resample import samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from care_runtime.job import Job
    from care_runtime.tiling import Cut

PLANES = 16
"""Planes of a block at most, where each has percentiles of its own."""

At = tuple[int, int, int, int, int, int]
"""Sample, time point, number of the network input among the channels, and the numbers
of the spans along Z, Y and X."""


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring tiles, planes or pixels along one axis.

    Parameters
    ----------
    first, stop
        Pixels of the axis as it reaches the network, without padding.
    source
        Pixels of the image that they are made from.
    own
        Those of `source` that no span before has, for what is counted once.
    cuts
        The tiles; none where there are no tiles along the axis.
    """

    first: int
    stop: int
    source: slice
    own: slice
    cuts: tuple[Cut, ...] = ()

    def __len__(self) -> int:
        """Count the pixels."""
        return self.stop - self.first


@dataclass(frozen=True, slots=True)
class Blocks:
    """How the frames of an image are shared out.

    Parameters
    ----------
    restored
        Spans by axis (Z, Y, X): all tiles of the job's plan, or its planes along Z.
    measured
        Spans by axis, in which the percentiles are counted: every pixel once.
    frames
        Samples, time points and network inputs among the channels.
    """

    restored: Mapping[str, tuple[Span, ...]]
    measured: Mapping[str, tuple[Span, ...]]
    frames: tuple[int, int, int]

    def places(self, spans: Mapping[str, tuple[Span, ...]]) -> Iterator[At]:
        """Go through all blocks, the last axis fastest."""
        counts = (*self.frames, *(len(spans[a]) for a in "ZYX"))
        yield from product(*(range(n) for n in counts))


def share(job: Job, most: int, *, flat: bool) -> Blocks:
    """Decide which tiles are restored together.

    Parameters
    ----------
    job
        What is to be done.
    most
        Pixels of a block, unless a single tile has more.
    flat
        Whether an output has no Z, so that volumes are not cut along it.
    """
    kept = not job.volume and "Z" not in job.normalization.axes
    pieces = {a: _pieces(job, a) for a in "ZYX"}
    lengths = {a: max(map(len, spans)) for a, spans in pieces.items()}
    counts = dict.fromkeys("ZYX", 1)
    if flat and job.volume:
        counts["Z"] = len(pieces["Z"])
    room = {a: len(spans) for a, spans in pieces.items()}
    if kept:
        room["Z"] = min(PLANES, room["Z"])

    def size(more: str) -> int:
        found = 1
        for a, n in counts.items():
            found *= min(lengths[a] * (n + (a == more)), job.stretched(a))
        return found

    # Planes follow each other last: they share nothing.
    for letters in ("ZYX",) if job.volume else ("YX", "Z"):
        while True:
            free = [a for a in letters if counts[a] < room[a] and size(a) <= most]
            if not free:
                break
            counts[min(free, key=lambda a: lengths[a] * counts[a])] += 1
    restored = {a: _grouped(job, a, pieces[a], counts[a]) for a in "ZYX"}
    groups = job.sizes["C"] // job.channels
    measured = {a: _measured(job, a, restored[a]) for a in "ZYX"}
    return Blocks(restored, measured, (job.sizes["S"], job.sizes["T"], groups))


def resamples_first(job: Job) -> bool:
    """Whether percentiles are of the resampled image."""
    return job.resample is not None and job.resample.when == "before"


def _pieces(job: Job, axis: str) -> list[Span]:
    """List the tiles of an axis, or its planes, one by one."""
    if axis not in job.plan.lines:
        return [_plain(i, i + 1) for i in range(job.sizes[axis])]
    nothing = slice(0, 0)
    return [
        Span(cut.write.start, cut.write.stop, nothing, nothing, (cut,))
        for cut in job.plan.lines[axis].cuts
    ]


def _plain(first: int, stop: int) -> Span:
    return Span(first, stop, slice(first, stop), slice(first, stop))


def _grouped(job: Job, axis: str, pieces: list[Span], count: int) -> tuple[Span, ...]:
    """Put as many neighbours together, or a few less so that all groups are alike."""
    groups = -(-len(pieces) // count)
    count = -(-len(pieces) // groups)
    found = []
    for start in range(0, len(pieces), count):
        part = pieces[start : start + count]
        first, stop = part[0].first, part[-1].stop
        if axis not in job.plan.lines:
            found.append(_plain(first, stop))
            continue
        cuts = tuple(cut for span in part for cut in span.cuts)
        source = _read(job, axis, cuts)
        found.append(Span(first, stop, source, source, cuts))
    return tuple(found)


def _read(job: Job, axis: str, cuts: tuple[Cut, ...]) -> slice:
    """Tell which pixels of the image some tiles need along an axis."""
    line = job.plan.lines[axis]
    factor = job.factors.get(axis, 1.0)
    lines = samples(job.sizes[axis], factor, before=line.before, padded=line.padded)
    least = min(cut.read.start for cut in cuts)
    part = lines[slice(least, max(cut.read.stop for cut in cuts))]
    return slice(int(part.below.min()), int(part.above.max()) + 1)


def _measured(job: Job, axis: str, spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Share out the pixels that are counted, about as those that are restored."""
    size = job.sizes[axis]
    if axis not in job.factors:
        return tuple(_plain(span.first, span.stop) for span in spans)
    if not resamples_first(job):
        count = min(len(spans), size)
        ends = [i * size // count for i in range(count + 1)]
        return tuple(_plain(a, b) for a, b in pairwise(ends))
    line = samples(size, job.factors[axis])
    parts = [line[span.first : span.stop] for span in spans]
    starts = [0, *(int(part.below.min()) for part in parts[1:]), size]
    found = []
    for span, part, (start, end) in zip(spans, parts, pairwise(starts), strict=True):
        stop = max(int(part.above.max()) + 1, end)
        own = slice(start, end)
        found.append(Span(span.first, span.stop, slice(start, stop), own))
    return tuple(found)
