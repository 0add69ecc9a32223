"""Remote: one OME-Zarr restored by a dask cluster, with the result of a batch."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from care_runtime import dask, parallel, reading, saving
from care_runtime import places as places_
from care_runtime.batch import NOTED, Options, Result
from care_runtime.errors import (
    AxesError,
    CareError,
    EngineError,
    FileError,
    OptionError,
)
from care_runtime.overlap import Read, real
from care_runtime.writing import holds, require_place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from care_runtime.deferred import Deferred
    from care_runtime.package import Package
    from care_runtime.reading import Place


@dataclass(frozen=True, slots=True)
class Remote:
    """A model, and how the workers run it.

    Parameters
    ----------
    package
        The model, as it was found here.
    device, engine, threads, precision
        As `care_runtime.dask.restore` takes them; 0 threads are one.
    """

    package: Package
    device: str = "auto"
    engine: str = "auto"
    threads: int = 0
    precision: str = "auto"

    def lazy(self, source: Place, chosen: Options) -> Deferred:
        """Plan the restoration of what is selected of a file."""
        selection = chosen.selection
        found = reading.source(
            real(source) if isinstance(source, Path) else source,
            chosen.axes,
            series=selection.series,
            prefer_z="Z" in self.package.spec.input.letters,
        )
        return dask.restore(
            selection.of(found),
            self.package,
            device=self.device,
            engine=self.engine,
            threads=self.threads or 1,
            precision=self.precision,
            normalize=chosen.normalize,
            normalize_over=chosen.normalize_over,
            tile=chosen.tile,
            factor=chosen.factor,
            dtype=chosen.dtype,
            outputs=chosen.outputs,
            trust=chosen.trust,
        )


def check(files: Sequence[Place], targets: Sequence[Path], chosen: Options) -> None:
    """Refuse what a cluster cannot restore, before it is started.

    Raises
    ------
    OptionError
        If an image is or becomes no OME-Zarr, or an option needs the image as a whole.
    """
    for option, wish in (("--samples", chosen.trust.samples), ("--join", chosen.join)):
        if wish:
            msg = (
                f"expected no {option} with --dask, found it: its images are made of "
                "whole ones; leave it out, or restore without --dask"
            )
            raise OptionError(msg)
    if chosen.resume:
        msg = (
            "expected no --resume with --dask, found it: workers keep no journal of "
            "what they did; leave it out, or restore without --dask"
        )
        raise OptionError(msg)
    for place in files:
        if reading.kind(place) != "zarr":
            msg = (
                f"expected OME-Zarr as input of --dask, of which every worker reads "
                f"its part, found {place}: restore it without --dask"
            )
            raise OptionError(msg)
    for target in targets:
        if target.suffix.lower() != ".zarr":
            msg = (
                f"expected an output NAME.zarr with --dask, into which all workers "
                f"write, found {target}"
            )
            raise OptionError(msg)


def run(
    remote: Remote,
    client: Any,
    source: Place,
    target: Path,
    chosen: Options,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Restore one OME-Zarr; what goes wrong is told in the result.

    Parameters
    ----------
    remote
        The model.
    client
        Of ``distributed``.
    source, target, chosen, progress
        As `batch.run` takes them.
    """
    started = time.perf_counter()
    try:
        with warnings.catch_warnings(record=True) as caught:
            for kind in NOTED:
                warnings.simplefilter("always", kind)
            check([source], [target], chosen)
            places = _places(remote, source, target, chosen)
            lazy = remote.lazy(source, chosen)
            _require_axes(lazy, target)
            told = _written(lazy, places, client, chosen, progress)
    except CareError as error:
        line = " ".join(str(error).split())
        line = line if str(source) in line else f"{source}: {line}"
        return Result(source, target, "failed", line, time.perf_counter() - started)
    notes = [str(w.message) for w in caught if issubclass(w.category, NOTED)]
    if told.blank:
        notes.append(f"{told.blank} frame(s) or channel(s) have no contrast")
    if told.saturated:
        notes.append(
            f"{told.saturated} pixels lie outside {lazy.image.dtype} and were "
            "clipped: give --dtype float32 to keep them"
        )
    image = {
        "axes": lazy.axes,
        "shape": list(lazy.image.shape),
        "dtype": str(lazy.image.dtype),
    }
    return Result(
        source,
        target,
        "done",
        seconds=time.perf_counter() - started,
        image=image,
        saturated=told.saturated,
        blank=told.blank,
        flagged=told.flagged,
        flag=lazy.facts(told.flagged).get("flagged"),
        files=tuple(dict.fromkeys(places.values())),
        notes=tuple(notes),
    )


def _places(
    remote: Remote, source: Place, target: Path, chosen: Options
) -> dict[str, Path]:
    """Decide where images go, and refuse places that are taken."""
    readouts = chosen.trust.readouts(remote.package.spec)
    ids = [*dict.fromkeys(chosen.outputs), *(readout.id for readout in readouts)]
    places = saving.places(target.absolute(), ids, join=False)
    read = Read.of([source])
    for place in places.values():
        read.require_apart(place)
        if place.exists() and not chosen.overwrite:
            msg = f"{place} exists already: give --overwrite to replace it"
            raise FileError(msg)
        require_place(place, chosen.form)
    places_.sweep(places)
    return places


def _require_axes(lazy: Deferred, target: Path) -> None:
    if not holds(target, lazy.axes):
        msg = (
            f"expected an image without samples (S) or without time (T) for {target}, "
            f"found axes {lazy.axes}: restore its samples one by one"
        )
        raise AxesError(msg)


def _written(
    lazy: Deferred,
    places: dict[str, Path],
    client: Any,
    chosen: Options,
    progress: Callable[[int, int], None] | None,
) -> parallel.Counts:
    """Restore and write; say in a line when the cluster itself fails."""
    from distributed import CancelledError, KilledWorker

    try:
        return parallel.write(lazy, places, client, form=chosen.form, progress=progress)
    except (KilledWorker, CancelledError) as error:
        reason = " ".join(str(error).split())[:160]
        msg = (
            f"expected the workers to live, found that one died or was lost "
            f"({reason}): give them more memory or take smaller tiles, and look at "
            "their logs"
        )
        raise EngineError(msg) from error
