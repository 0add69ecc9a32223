"""Dask: restore lazy arrays of any size, block by block on many machines.

::

    import dask.array, care_runtime.dask
    movie = dask.array.from_zarr("embryo.zarr/0")
    lazy = care_runtime.dask.restore(movie, "denoise_planaria", axes="TZYX")
    lazy.image  # a dask array: slice it, store it, compute it

Needs the extra ``dask``, which is imported when it is used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import blocks
from care_runtime import job as job_
from care_runtime import pixels as pixels_
from care_runtime.axes import canonical
from care_runtime.axes import check as check_axes
from care_runtime.contract import supported
from care_runtime.deferred import Deferred
from care_runtime.errors import AxesError, ImageError, OptionError
from care_runtime.files import missing
from care_runtime.image import Image
from care_runtime.layers import Layers
from care_runtime.options import factor_of
from care_runtime.output import canvases, images
from care_runtime.readout import Flag
from care_runtime.recipe import planned
from care_runtime.source import Source
from care_runtime.tried import Tried
from care_runtime.trust import Trust, given
from care_runtime.worker import Work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from care_runtime.canvas import Canvas
    from care_runtime.job import Job
    from care_runtime.options import TileSize
    from care_runtime.package import Package

__all__ = ["BLOCK", "EXTRA", "Deferred", "restore"]

PACKAGE, EXTRA = "dask", "care-zoo[dask]"
BLOCK = 1 << 22
"""Pixels that one task restores: 8 MB of 16 bits, and some seconds of a CPU core."""


def restore(
    array: Any,
    model: str | Package,
    axes: str | None = None,
    *,
    device: str = "auto",
    engine: str = "auto",
    threads: int = 1,
    precision: str = "auto",
    zoo: str | None = None,
    normalize: str | Sequence[float] = "auto",
    normalize_over: str | None = None,
    tile: TileSize = None,
    factor: float | None = None,
    dtype: str = "auto",
    outputs: Sequence[str] | None = None,
    trust: Trust | None = None,
    block: int = BLOCK,
) -> Deferred:
    """Restore a lazy image; nothing is read or computed yet.

    Bit for bit, the result is that of ``care_runtime.load(model, device=device,
    engine=engine, threads=threads, outputs=outputs)(image, axes, ...)``: tasks restore
    groups of tiles of the same plan, with the same halo, and percentiles are exact,
    counted by tasks of the graph. A task reads the pixels that its tiles see and no
    more; the image is never in memory as a whole, on any machine. It is read once for
    the percentiles (twice if it has 32 bits, four times 64), and once more to be
    restored; the tasks behind `array` are therefore run as often, unless it is
    persisted.

    On GPUs it is, with the same tiles (`tile`), to the rounding of their sums.

    Every worker process loads the network once. It is read from where it lies here,
    else had by its name: workers of other machines need the same folder, zoo, or
    network.

    Parameters
    ----------
    array
        Dask array of known chunks, or an `Image` or `Source` with the calibration.
    model, zoo
        As `care_runtime.load` takes them.
    axes
        Letters of STCZYX, one for each dimension.
    device, engine
        Of the workers. ``"auto"`` is decided here and demanded of all, for a GPU and a
        CPU do not agree to the last bit; ``"cuda"`` needs no GPU here.
    threads
        Of the network in each task. Dask runs as many tasks at once as a worker has
        threads, so that one is enough, unless workers have one thread and many cores.
    precision
        As `care_runtime.load` takes it, for the device of the workers. On GPUs, tiles
        are the model's own: what memory workers have is not known here.
    normalize, normalize_over, tile, factor, dtype, trust
        As `Restorer` takes them.
    outputs
        Ids of the outputs to compute, None for all.
    block
        Pixels of a task's block at most, unless a single tile has more; those of the
        network's input.

    Returns
    -------
    Deferred
        With a dask array for each output.

    Raises
    ------
    AxesError, ImageError, OptionError, SpecError, ModelNotFoundError, EngineError
        If the image does not fit the model, or the model cannot be run in blocks:
        steps of others that measure whole frames.
    FileError
        If dask is not installed.

    Warns
    -----
    FactorWarning
        If factor, voxel sizes and model disagree.
    """
    _required()
    image = _image(array, axes)
    trust = trust or Trust()
    restorer, recipe = planned(
        model,
        zoo,
        device,
        engine,
        threads,
        precision=precision,
        outputs=outputs,
        trust=trust,
    )
    spec, network = restorer.spec, restorer.network
    care = supported(spec)
    readouts = given(spec, outputs) + trust.readouts(spec)
    on_gpu = recipe.device.startswith("cuda")
    job = job_.make(
        spec,
        image.axes,
        image.pixels.shape,
        normalize=normalize,
        normalize_over=normalize_over,
        tile=tile,
        factor=factor_of(image, factor, care.resample),
        least=0 if on_gpu else getattr(network, "least", 0),
        shortest=1 if on_gpu else getattr(network, "shortest", 1),
        growth=None if on_gpu else getattr(network, "growth", None),
    )
    if isinstance(network, Tried) and not on_gpu:
        tile = {"B": 1, "C": job.channels, **job.plan.tile}
        network.require([[tile.get(letter, 1) for letter in spec.input.letters]])
    kind = np.dtype(image.pixels.dtype)
    pixels_.check(np.empty(0, kind))
    drawn = canvases(spec, job, readouts, kind, dtype, _room)
    _require_local(spec.name, job, drawn)
    shared = blocks.share(job, block, flat=any(not c.keeps_z for c in drawn))
    empty = [replace(c, pixels=np.empty(0, c.pixels.dtype), movie=None) for c in drawn]
    sizes = tuple(canonical(c.pixels, c.axes).shape for c in drawn)
    work = Work(recipe, spec, job, shared, image.axes, tuple(empty), sizes)
    lazies = Layers.of(work, array if isinstance(array, Source) else image.pixels)
    drawn = _drawn(drawn, lazies.outputs)
    facts = {**restorer.provenance, **job.facts(), **trust.facts()}
    if image.cut:
        facts["cut out"] = image.cut
    flags = [c for c in drawn if isinstance(c.readout, Flag)]
    return Deferred(
        images(image, job, drawn),
        drawn[0].readout.id,
        facts,
        lazies.clipped.sum(),
        lazies.blank.sum(),
        (flags[0].pixels != 0).sum() / flags[0].pixels.size if flags else None,
        str(flags[0].readout) if flags else "",
    )


def _required() -> None:
    try:
        import dask.array  # noqa: F401
    except ImportError as error:
        raise missing(PACKAGE, EXTRA, "lazy images") from error


def _image(array: Any, axes: str | None) -> Image:
    """Find the pixels and what is said of them."""
    if isinstance(array, Source):
        image = array.image(_nothing(array.shape, array.dtype))
    elif isinstance(array, Image):
        image = array
    else:
        image = Image(array, axes or "")
    if not isinstance(array, Source):
        _require_dask(image.pixels)
    if not image.axes and axes is None:
        shape = tuple(image.pixels.shape)
        msg = f"name the axes of the array of shape {shape}, as in axes='ZYX'"
        raise AxesError(msg)
    return replace(image, axes=check_axes(axes or image.axes, image.pixels.shape))


def _require_dask(pixels: Any) -> None:
    import dask.array

    if not isinstance(pixels, dask.array.Array):
        msg = (
            f"expected a dask array, found {type(pixels).__name__}: make one with "
            "dask.array.from_array or from_zarr, or call the restorer itself"
        )
        raise ImageError(msg)
    if any(np.isnan(n) for sizes in pixels.chunks for n in sizes):
        msg = (
            "expected a dask array whose chunks have known sizes, found unknown ones: "
            "call its compute_chunk_sizes() first"
        )
        raise ImageError(msg)


def _room(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], axes: str) -> Any:
    """Make room for an output, of which only the shape and type are asked for."""
    return _nothing(shape, dtype)


def _nothing(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Make an array of any shape that takes no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def _require_local(name: str, job: Job, drawn: Sequence[Canvas]) -> None:
    """Refuse what has to see a whole frame at once."""
    if len(job.feeds) > 1:
        found = ", ".join(feed.id for feed in job.feeds)
        msg = (
            f"expected a model of one input, found {name!r}, which reads several "
            f"({found}): restore it without dask"
        )
        raise OptionError(msg)
    framed = [canvas for canvas in drawn if canvas.framed]
    steps = [*job.steps, *(step for canvas in framed for step in canvas.steps)]
    if steps:
        named = ", ".join(dict.fromkeys(step.id for step in steps))
        msg = (
            f"expected a model that is restored tile by tile, found {name!r}, of which "
            f"the steps {named} are taken on whole frames: restore it without dask"
        )
        raise OptionError(msg)


def _drawn(drawn: Sequence[Canvas], outputs: Sequence[Any]) -> list[Canvas]:
    """Put dask arrays in the place of the pixels; random draws share a movie."""
    import dask.array

    draws = [o for c, o in zip(drawn, outputs, strict=True) if c.movie is not None]
    movie = dask.array.stack(draws) if draws else None
    return [
        replace(c, pixels=o, movie=None if c.movie is None else movie)
        for c, o in zip(drawn, outputs, strict=True)
    ]
