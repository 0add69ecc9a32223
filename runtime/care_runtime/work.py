"""Work: a job done tile by tile, from where it stopped if it was begun before."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import job as job_
from care_runtime.answers import collect
from care_runtime.errors import (
    CancelledError,
    EngineError,
    OutOfMemoryError,
    TileWarning,
)
from care_runtime.ledger import Done
from care_runtime.measure import measured
from care_runtime.operations import apply
from care_runtime.resample import gather, samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.canvas import Canvas
    from care_runtime.job import Job
    from care_runtime.ledger import Ledger
    from care_runtime.normalize import Affine
    from care_runtime.spec import Spec
    from care_runtime.tensor import Tensor

    Network = Callable[..., Sequence[NDArray[np.float32]]]
    Progress = Callable[[int, int], None] | None
    Cancel = Callable[[], bool] | None

RETRIES = 2
"""How often smaller tiles are tried where memory is short."""


def fill_somehow(
    spec: Spec,
    network: Network,
    drawn: Sequence[Canvas],
    views: Sequence[NDArray[Any]],
    job: Job,
    **told: Any,
) -> tuple[int, Job]:
    """Restore all tiles, smaller ones where memory is short; see `fill`.

    Returns
    -------
    blank, job
        As `fill` counts them; the job with the tiles that were taken.

    Warns
    -----
    TileWarning
        If tiles had to be smaller.
    """
    for left in reversed(range(RETRIES + 1)):
        try:
            return fill(spec, network, drawn, views, job, **told), job
        except OutOfMemoryError as error:
            fewer = job_.smaller(
                spec,
                job,
                least=getattr(network, "least", 0),
                shortest=getattr(network, "shortest", 1),
            )
            if not left or fewer is None:
                raise
            was, now = (each.facts()["tile"] for each in (job, fewer))
            msg = (
                f"memory is short for tiles of {was} ({error}): they are now {now}; "
                "give --tile for others"
            )
            warnings.warn(msg, TileWarning, stacklevel=4)
            job = fewer
    raise AssertionError  # pragma: no cover


def fill(
    spec: Spec,
    network: Network,
    drawn: Sequence[Canvas],
    views: Sequence[NDArray[Any]],
    job: Job,
    *,
    progress: Progress = None,
    cancel: Cancel = None,
    ledger: Ledger | None = None,
) -> int:
    """Restore tile by tile, and count the channels that were blank.

    Parameters
    ----------
    spec, network
        The model.
    drawn
        Images to draw into.
    views
        The image of each input of the network, as STCZYX.
    job
        What is to be done.
    progress
        Called with the number of tiles done and of all tiles, after each.
    cancel
        Asked before every tile whether to stop.
    ledger
        Knows what was done before, and is told what is done now.

    Raises
    ------
    CancelledError
        If that was asked for.
    EngineError, OutOfMemoryError
        If the network fails.
    """
    resample = job.resample
    rounded = [resample is not None and resample.rounds(v.dtype) for v in views]
    lines = {
        a: samples(
            job.sizes[a], job.factors.get(a, 1.0), before=n.before, padded=n.padded
        )
        for a, n in job.plan.lines.items()
    }
    known = _known(drawn, job, ledger)
    framed = any(canvas.steps for canvas in drawn)
    held = framed or bool(job.steps)
    blank, done = known.blank, 0
    each_frame = len(job.planes) * len(job.plan)
    begun = -(-known.tiles // each_frame)
    whole = known.tiles // each_frame
    for count, (where, affines) in enumerate(_measured(views, job, skip=whole)):
        if affines is None:
            done += each_frame
            continue
        if count >= begun:
            blank += int(np.count_nonzero(affines[0].blank))
        for plane in job.planes:
            if done + len(job.plan) <= known.tiles:
                done += len(job.plan)
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
                if cancel is not None and cancel():
                    msg = f"stopped as asked, after {done - 1} of {len(job)} tiles"
                    raise CancelledError(msg)
                window = [lines[a][cut.read] for a, cut in cuts.items()]
                tiles = [
                    affine(gather(frame, window, round_=round_))
                    for frame, affine, round_ in zip(frames, here, rounded, strict=True)
                ]
                found = ask(spec, network, tiles, here[0])
                answers = collect(spec, tiles[0], found, here[0].blank, cuts)
                for canvas in drawn:
                    canvas.write(answers, here[0], (*where, plane), cuts)
                if ledger is not None and not framed:
                    ledger.add(Done(done, _lost(drawn), blank))
                if progress is not None:
                    progress(done, len(job))
            for canvas in drawn:
                canvas.finish((*where, plane), came)
            # A frame that is changed as a whole in the end is begun anew until then.
            if ledger is not None and framed:
                ledger.add(Done(done, _lost(drawn), blank))
    return blank


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


def _lost(drawn: Sequence[Canvas]) -> tuple[int, ...]:
    return tuple(canvas.saturated for canvas in drawn)


def _known(drawn: Sequence[Canvas], job: Job, ledger: Ledger | None) -> Done:
    """Ask how far it came before, and count on from there."""
    facts = job.facts()
    known = Done() if ledger is None else ledger.begin(f"{facts} {len(job)}")
    for number, canvas in enumerate(drawn):
        canvas.saturated = known.saturated[number] if known.tiles else 0
    return known


def ask(
    spec: Spec,
    network: Network,
    tiles: Sequence[NDArray[np.float32]],
    affine: Affine,
) -> Sequence[NDArray[np.float32] | None]:
    """Run the network on a tile, unless it is blank.

    Parameters
    ----------
    spec, network
        The model.
    tiles
        What each of its inputs reads, (C, [Z,] Y, X).
    affine
        Normalization of the first of them.

    Raises
    ------
    OutOfMemoryError
        If there is no room for it.
    EngineError
        If the network answers otherwise than described.
    """
    if affine.blank.all():
        return [None] * len(spec.outputs)
    batches = [_batch(t, x) for t, x in zip(spec.inputs, tiles, strict=True)]
    try:
        answers = network(*batches)
    except OutOfMemoryError:
        raise
    except MemoryError as error:
        shape = batches[0].shape
        msg = f"expected room for a tile of shape {shape}, found none: {error}"
        raise OutOfMemoryError(msg) from error
    _check(spec, tiles[0], answers)
    return answers


def _batch(tensor: Tensor, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Order a tile (C, [Z,] Y, X) as an input of the network."""
    axes = "BCZYX" if x.ndim == 4 else "BCYX"
    letters = tensor.letters
    batch = x[None].transpose(
        [axes.index(a) for a in letters + "".join(set(axes) - set(letters))]
    )
    return batch.reshape(batch.shape[: len(letters)])


def _check(
    spec: Spec, x: NDArray[np.float32], answers: Sequence[NDArray[np.float32]]
) -> None:
    """Refuse answers of other shapes than described, for they could still be placed."""
    sizes = dict(zip("CZYX" if x.ndim == 4 else "CYX", x.shape, strict=True))
    expected = [
        tuple((sizes | {"B": 1, "C": tensor.channels})[a] for a in tensor.letters)
        for tensor in spec.outputs
    ]
    found = [y.shape for y in answers]
    if found != expected:
        msg = (
            f"expected outputs of the shapes {expected} from the network, found "
            f"{found}: it is not the one that the description of {spec.name!r} tells of"
        )
        raise EngineError(msg)
