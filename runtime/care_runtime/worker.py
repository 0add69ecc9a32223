"""Worker: what one task does, in any process and on any machine; it imports no dask."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import tally
from care_runtime.answers import collect
from care_runtime.axes import canonical
from care_runtime.readout import Draw
from care_runtime.recipe import network
from care_runtime.resample import gather, samples
from care_runtime.work import ask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.blocks import At, Blocks, Span
    from care_runtime.canvas import Canvas
    from care_runtime.job import Job
    from care_runtime.normalize import Affine
    from care_runtime.readout import Answers, Readout
    from care_runtime.recipe import Recipe
    from care_runtime.spec import Spec
    from care_runtime.tally import Slot, Tally
    from care_runtime.tiling import Cut

    Searched = Mapping[Slot, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """What all tasks of a restoration share.

    Parameters
    ----------
    recipe, spec, job, blocks
        The network, the model, what is to be done, and how it is shared out.
    axes
        Of the image, in its own order.
    canvases
        What is drawn; their pixels are empty.
    sizes
        Of each of them, as STCZYX.
    """

    recipe: Recipe
    spec: Spec
    job: Job
    blocks: Blocks
    axes: str
    canvases: tuple[Canvas, ...]
    sizes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Task:
    """Where a task reads and writes.

    Parameters
    ----------
    at
        Its block.
    shape
        Of the pixels that it reads, in the image's own axes.
    places
        Where each piece of them belongs, in the order of the pieces.
    """

    at: At
    shape: tuple[int, ...]
    places: tuple[tuple[slice, ...], ...]

    def pixels(self, pieces: Sequence[NDArray[Any]], axes: str) -> NDArray[Any]:
        """Put the pieces together, as STCZYX."""
        if len(pieces) == 1:
            return canonical(np.asarray(pieces[0]), axes)
        whole = np.empty(self.shape, pieces[0].dtype)
        for place, piece in zip(self.places, pieces, strict=True):
            whole[place] = piece
        return canonical(whole, axes)


@dataclass(frozen=True, slots=True)
class Moved:
    """A random draw of a block, with the numbers that its pixels have in the image.

    Parameters
    ----------
    draw
        What is drawn.
    first
        Where the block begins, as STCZYX.
    local, whole
        Sizes of the block and of the image, as STCZYX.
    """

    draw: Draw
    first: tuple[int, ...]
    local: tuple[int, ...]
    whole: tuple[int, ...]

    def __getattr__(self, name: str) -> Any:
        """Be like the draw in all else."""
        return getattr(self.draw, name)

    def __call__(self, answers: Answers, index: NDArray[np.uint64]) -> NDArray[Any]:
        """Draw every pixel."""
        found = np.zeros(index.shape, np.uint64)
        rest, step = index, np.uint64(1)
        for first, local, whole in zip(
            reversed(self.first),
            reversed(self.local),
            reversed(self.whole),
            strict=True,
        ):
            found += (rest % np.uint64(local) + np.uint64(first)) * step
            rest = rest // np.uint64(local)
            step *= np.uint64(whole)
        return self.draw(answers, found)


def restored(
    work: Work, affine: Affine, task: Task, pieces: Sequence[NDArray[Any]]
) -> list[Any]:
    """Restore the tiles of a block.

    Returns
    -------
    list
        Pixels of the main output that were clipped, then one array for each output in
        its own axes.
    """
    job, spans = work.job, _spans(work.blocks.restored, task.at)
    view = task.pixels(pieces, work.axes)[0, 0]
    run = network(work.recipe)
    drawn = [_canvas(work, i, task.at, spans) for i in range(len(work.canvases))]
    rounded = job.resample is not None and job.resample.rounds(view.dtype)
    lines = {
        a: samples(
            job.sizes[a],
            job.factors.get(a, 1.0),
            before=line.before,
            padded=line.padded,
        ).shifted(spans[a].source.start)
        for a, line in job.plan.lines.items()
    }
    for plane in range(1 if job.volume else len(spans["Z"])):
        frame = view if job.volume else view[:, plane]
        here = affine if job.volume else affine.plane(plane)
        for cuts in _tiles(spans, job.volume):
            window = [lines[a][cut.read] for a, cut in cuts.items()]
            x = here(gather(frame, window, round_=rounded))
            found = ask(work.spec, run, [x], here, cuts)
            answers = collect(work.spec, x, found, here.blank, cuts)
            for canvas in drawn:
                canvas.write(answers, here, (0, 0, 0, plane), cuts)
    return [drawn[0].saturated, *(canvas.pixels for canvas in drawn)]


def begun(work: Work, dtype: np.dtype[Any], z: int) -> Searched:
    """Begin to look for the percentiles of a frame, or of its planes in a span of Z."""
    spans = work.blocks.measured["Z"]
    first, last = (spans[z], spans[z]) if z >= 0 else (spans[0], spans[-1])
    return tally.searches(work.job, dtype, range(first.first, last.stop))


def counted(
    work: Work, searched: Searched, task: Task, pieces: Sequence[NDArray[Any]]
) -> Tally:
    """Count the pixels of a block for the percentiles of its frame."""
    spans = _spans(work.blocks.measured, task.at)
    view = task.pixels(pieces, work.axes)[0, 0]
    return tally.count(work.job, searched, view, spans)


def mapped(work: Work, searched: Searched | None = None) -> Affine:
    """Make the map of a frame of what was counted, or of what the job says."""
    return tally.affine(work.job, searched or {})


def blank(affine: Affine) -> NDArray[np.int64]:
    """Count the channels of a frame that have no contrast, shape (1,)."""
    return np.array([np.count_nonzero(affine.blank)], np.int64)


def number(block: list[Any]) -> NDArray[np.int64]:
    """Take the count of clipped pixels of a block, shape (1,)."""
    return np.array([block[0]], np.int64)


def _spans(spans: Mapping[str, tuple[Span, ...]], at: At) -> dict[str, Span]:
    return {a: spans[a][i] for a, i in zip("ZYX", at[3:], strict=True)}


def _tiles(spans: Mapping[str, Span], volume: bool) -> list[dict[str, Cut]]:
    """List the tiles of a frame in the order of the plan, placed within the block."""
    found: list[dict[str, Cut]] = [{}]
    for axis in "ZYX" if volume else "YX":
        first = spans[axis].first
        cuts = [
            replace(c, write=slice(c.write.start - first, c.write.stop - first))
            for c in spans[axis].cuts
        ]
        found = [{**each, axis: cut} for each in found for cut in cuts]
    return found


def _canvas(work: Work, i: int, at: At, spans: Mapping[str, Span]) -> Canvas:
    """Make room for what a block adds to an output."""
    canvas, whole = work.canvases[i], work.sizes[i]
    lengths = dict.fromkeys("STC", 1) | {"C": canvas.channels}
    lengths |= {a: len(span) for a, span in spans.items()}
    if "Z" not in canvas.axes:
        lengths["Z"] = 1
    local = tuple(lengths[a] for a in "STCZYX")
    readout: Readout = canvas.readout
    if isinstance(readout, Draw):
        starts = [spans[a].first if a in canvas.axes else 0 for a in "ZYX"]
        first = (at[0], at[1], at[2] * canvas.channels, *starts)
        readout = Moved(readout, first, local, whole)  # type: ignore[assignment]
    pixels = np.empty([lengths[a] for a in canvas.axes], canvas.pixels.dtype)
    return replace(canvas, readout=readout, pixels=pixels)
