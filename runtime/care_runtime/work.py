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
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from care_runtime.canvas import Canvas
    from care_runtime.job import Job
    from care_runtime.ledger import Ledger
    from care_runtime.normalize import Affine
    from care_runtime.spec import Spec

    Network = Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]
    Progress = Callable[[int, int], None] | None
    Cancel = Callable[[], bool] | None

RETRIES = 2
"""How often smaller tiles are tried where memory is short."""


def fill_somehow(
    spec: Spec,
    network: Network,
    drawn: Sequence[Canvas],
    view: NDArray[Any],
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
            return fill(spec, network, drawn, view, job, **told), job
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
    view: NDArray[Any],
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
    view
        The image as STCZYX.
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
    rounded = resample is not None and resample.rounds(view.dtype)
    lines = {
        a: samples(
            job.sizes[a], job.factors.get(a, 1.0), before=n.before, padded=n.padded
        )
        for a, n in job.plan.lines.items()
    }
    known = _known(drawn, job, ledger)
    framed = any(canvas.steps for canvas in drawn)
    blank, done = known.blank, 0
    each_frame = len(job.planes) * len(job.plan)
    begun = -(-known.tiles // each_frame)
    whole = known.tiles // each_frame
    for count, ((s, t, number), affine) in enumerate(
        measured(view, job, resample, skip=whole)
    ):
        if affine is None:
            done += each_frame
            continue
        if count >= begun:
            blank += int(np.count_nonzero(affine.blank))
        channels = slice(number * job.channels, (number + 1) * job.channels)
        for plane in job.planes:
            frame = view[s, t, channels] if job.volume else view[s, t, channels, plane]
            if done + len(job.plan) <= known.tiles:
                done += len(job.plan)
                continue
            here = affine if job.volume else affine.plane(plane)
            came = frame = np.asarray(frame) if framed or job.steps else frame
            frame = apply(job.steps, frame)
            for cuts in job.plan:
                done += 1
                if done <= known.tiles:
                    continue
                if cancel is not None and cancel():
                    msg = f"stopped as asked, after {done - 1} of {len(job)} tiles"
                    raise CancelledError(msg)
                window = [lines[a][cut.read] for a, cut in cuts.items()]
                x = here(gather(frame, window, round_=rounded))
                found = ask(spec, network, x, here)
                answers = collect(spec, x, found, here.blank, cuts)
                for canvas in drawn:
                    canvas.write(answers, here, (s, t, number, plane), cuts)
                if ledger is not None and not framed:
                    ledger.add(Done(done, _lost(drawn), blank))
                if progress is not None:
                    progress(done, len(job))
            for canvas in drawn:
                canvas.finish((s, t, number, plane), {spec.input.id: came})
            # A frame that is changed as a whole in the end is begun anew until then.
            if ledger is not None and framed:
                ledger.add(Done(done, _lost(drawn), blank))
    return blank


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
    spec: Spec, network: Network, x: NDArray[np.float32], affine: Affine
) -> Sequence[NDArray[np.float32] | None]:
    """Run the network on a tile (C, [Z,] Y, X), unless it is blank.

    Raises
    ------
    OutOfMemoryError
        If there is no room for it.
    EngineError
        If the network answers otherwise than described.
    """
    if affine.blank.all():
        return [None] * len(spec.outputs)
    axes = "BCZYX" if x.ndim == 4 else "BCYX"
    letters = spec.input.letters
    batch = x[None].transpose(
        [axes.index(a) for a in letters + "".join(set(axes) - set(letters))]
    )
    batch = batch.reshape(batch.shape[: len(letters)])
    try:
        answers = network(batch)
    except OutOfMemoryError:
        raise
    except MemoryError as error:
        msg = f"expected room for a tile of shape {batch.shape}, found none: {error}"
        raise OutOfMemoryError(msg) from error
    _check(spec, batch, answers)
    return answers


def _check(
    spec: Spec, batch: NDArray[np.float32], answers: Sequence[NDArray[np.float32]]
) -> None:
    """Refuse answers of other shapes than described, for they could still be placed."""
    sizes = dict(zip(spec.input.letters, batch.shape, strict=True))
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
