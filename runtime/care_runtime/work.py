"""Work: a job done tile by tile, from where it stopped if it was begun before."""

from __future__ import annotations

import gc
import warnings
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from care_runtime import job as job_
from care_runtime.ahead import ahead, locked
from care_runtime.answers import collect
from care_runtime.errors import (
    CancelledError,
    EngineError,
    OutOfMemoryError,
    TileWarning,
)
from care_runtime.ledger import Done
from care_runtime.resample import gather
from care_runtime.steps import left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from care_runtime.canvas import Canvas
    from care_runtime.job import Job
    from care_runtime.ledger import Ledger
    from care_runtime.normalize import Affine
    from care_runtime.spec import Spec
    from care_runtime.steps import Step
    from care_runtime.tensor import Tensor
    from care_runtime.tiling import Cut

    Computed = tuple[NDArray[np.float32], Sequence[NDArray[np.float32] | None]]
    Network = Callable[..., Sequence[NDArray[np.float32]]]
    Progress = Callable[[int, int], None] | None
    Cancel = Callable[[], bool] | None

RETRIES = 8
"""How often smaller tiles are tried where memory is short; each has half the pixels."""


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
    job = _begun(spec, network, job, told.get("ledger"))
    for tries in range(RETRIES + 1):
        try:
            return fill(spec, network, drawn, views, job, **told), job
        except OutOfMemoryError as error:
            fewer = _smaller(spec, network, job)
            was = job.facts()["tile"]
            if tries == RETRIES or fewer is None:
                msg = (
                    f"{error}; {tries} times, tiles were made smaller, and those of "
                    f"{was} are the smallest that are tried: end what else takes the "
                    "memory, or take another device"
                )
                raise OutOfMemoryError(msg) from error
            msg = (
                f"memory is short for tiles of {was} ({error}): they are now "
                f"{fewer.facts()['tile']}; give --tile for others"
            )
            warnings.warn(msg, TileWarning, stacklevel=4)
            job = fewer
        gc.collect()  # the error, gone now, held buffers of tiles that did not fit
    raise AssertionError  # pragma: no cover


def _begun(spec: Spec, network: Network, job: Job, ledger: Ledger | None) -> Job:
    """Take the smaller tiles by which it was begun, if memory was short then."""
    fewer: Job | None = job
    for _ in range(RETRIES + 1 if ledger is not None and ledger.plan else 0):
        if fewer is None or ledger is None:
            break
        if _plan(fewer) == ledger.plan:
            return fewer
        fewer = _smaller(spec, network, fewer)
    return job


def _smaller(spec: Spec, network: Network, job: Job) -> Job | None:
    return job_.smaller(
        spec,
        job,
        least=getattr(network, "least", 0),
        shortest=getattr(network, "shortest", 1),
    )


def _plan(job: Job) -> str:
    """Write what two runs have in common of which one goes on with the other."""
    return f"{job.facts()} {len(job)}"


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

    A network that has use for several threads (`workers`) computes as many tiles while
    the ones before are written, here and in order: what is done, and what is told of
    it, is the same as with one.

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
    EngineError, OutOfMemoryError, DeviceLostError
        If the network fails.
    """
    resample = job.resample
    rounded = [resample is not None and resample.rounds(v.dtype) for v in views]
    known = _known(drawn, job, ledger)
    framed = any(canvas.framed for canvas in drawn)
    reading = Lock()  # not every array may be read by several threads

    def compute(step: Step) -> Computed:
        with reading, room([len(line.below) for line in step.window]):
            pixels = [
                gather(frame, step.window, round_=round_)
                for frame, round_ in zip(step.frames, rounded, strict=True)
            ]
        tiles = [a(x) for a, x in zip(step.affines, pixels, strict=True)]
        return tiles[0], ask(spec, network, tiles, step.affines[0], step.cuts)

    blank = known.blank
    steps = locked(left(views, job, known, framed=framed), reading)
    with ahead(steps, compute, getattr(network, "workers", 1)) as running:
        for step, computed in running:
            if cancel is not None and cancel():
                done = step.number - 1
                msg = f"stopped as asked, after {done} of {len(job)} tiles"
                raise CancelledError(msg)
            x, found = computed()
            here, blank = step.affines[0], step.blank
            answers = collect(spec, x, found, here.blank, step.cuts)
            for canvas in drawn:
                canvas.write(answers, here, step.where, step.cuts)
            del computed, x, found, answers  # while the next tile is computed
            if ledger is not None and not framed:
                ledger.add(Done(step.number, _lost(drawn), blank))
            if progress is not None:
                progress(step.number, len(job))
            if not step.last:
                continue
            for canvas in drawn:
                canvas.finish(step.where, step.came)
            # A frame that is changed as a whole in the end is begun anew until then.
            if ledger is not None and framed:
                ledger.add(Done(step.number, _lost(drawn), blank))
    return blank


def _lost(drawn: Sequence[Canvas]) -> tuple[int, ...]:
    return tuple(canvas.saturated for canvas in drawn)


def _known(drawn: Sequence[Canvas], job: Job, ledger: Ledger | None) -> Done:
    """Ask how far it came before, and count on from there."""
    known = Done() if ledger is None else ledger.begin(_plan(job))
    for number, canvas in enumerate(drawn):
        canvas.saturated = known.saturated[number] if known.tiles else 0
    return known


@contextmanager
def room(shape: Sequence[int]) -> Iterator[None]:
    """Say of which tile it is, where there is no room for one.

    Raises
    ------
    OutOfMemoryError
        If there is none.
    """
    try:
        yield
    except OutOfMemoryError:
        raise
    except MemoryError as error:
        found = tuple(shape)
        msg = f"expected room for a tile of shape {found}, found none: {error}"
        raise OutOfMemoryError(msg) from error


def ask(
    spec: Spec,
    network: Network,
    tiles: Sequence[NDArray[np.float32]],
    affine: Affine,
    cuts: Mapping[str, Cut],
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
    cuts
        The tile by axis: no more than is kept of it has to be computed.

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
    keep: dict[str, Any] = {}
    if getattr(network, "trims", False):
        keep["keep"] = [(cut.keep.start, cut.keep.stop) for cut in cuts.values()]
    with room(batches[0].shape):
        answers = network(*batches, **keep)
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
