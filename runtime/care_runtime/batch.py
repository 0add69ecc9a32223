"""Batch: files in, files out, one result for each."""

from __future__ import annotations

import time
import warnings
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import identity, lazy, reading, saving
from care_runtime import places as places_
from care_runtime.bases import Cached
from care_runtime.choice import Options
from care_runtime.errors import (
    AxesError,
    BlankImageWarning,
    CareError,
    ChannelWarning,
    DeviceLostError,
    FactorWarning,
    OptionError,
    SeriesWarning,
    TileWarning,
)
from care_runtime.mixed import Mixed
from care_runtime.npy import PIPE
from care_runtime.overlap import Read
from care_runtime.partial import EVERY, Part, Partial, changed
from care_runtime.places import check, room_for
from care_runtime.plain import flat
from care_runtime.result import Result
from care_runtime.scratch import Scratch
from care_runtime.writing import holds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from care_runtime.image import Image
    from care_runtime.reading import Place
    from care_runtime.restore import Restorer
    from care_runtime.restored import Restored
    from care_runtime.source import Source
    from care_runtime.spec import Spec

__all__ = ["Options", "Result", "check", "room_for", "run"]

NOTED = (BlankImageWarning, ChannelWarning, FactorWarning, SeriesWarning, TileWarning)
"""Warnings that become notes of a result."""


def run(
    restorer: Restorer | Mixed,
    source: Place,
    target: Path,
    chosen: Options,
    progress: Callable[[int, int], None] | None = None,
    *,
    every: float = EVERY,
) -> Result:
    """Restore one file; what goes wrong is told in the result.

    Parameters
    ----------
    restorer, source, target, chosen
        What restores what, where it goes, and how.
    progress
        Called with the number of tiles done and of all tiles, after each.
    every
        Seconds between two moments from which an interrupted run can go on.

    Raises
    ------
    KeyboardInterrupt
        As it comes; what was done is kept where `partial.folder_of` says.
    """
    started = time.perf_counter()
    partial: Partial | None = None
    try:
        head = _head(restorer, source, chosen)
        places = places_.named(_specs(restorer)[0], target, chosen)
        read = Read.of([source, *chosen.inputs.values()])
        for place in places.values():
            read.require_apart(place)
        number = identity.digest(head) if head else None
        if chosen.resume and number and places_.are_done(places, number):
            places_.sweep(places)
            with suppress(CareError):  # another process may be at it
                Partial(target, {}).open(resume=False)
            seconds = time.perf_counter() - started
            return Result(source, target, "skipped", seconds=seconds)
        places_.require(places, chosen, number)
        if head and target != PIPE:
            partial = Partial(target, head, every=every)
            partial.open(resume=chosen.resume)
        places_.sweep(places)
        with warnings.catch_warnings(record=True) as caught:
            for kind in NOTED:
                warnings.simplefilter("always", kind)
            restored = _restored(restorer, source, target, chosen, progress, partial)
        if head and _head(restorer, source, chosen) != head:
            if partial is not None:
                partial.remove()
            raise changed(source)
        if number:
            facts = {**restored.provenance, identity.KEY: number}
            restored = replace(restored, provenance=facts)
        room = Scratch(room_for(target))
        saving.save(restored, places, join=chosen.join, form=chosen.form, empty=room)
        if partial is not None:
            partial.remove()
    except (CareError, OSError) as error:
        named, said = flat(str(source)), flat(str(error))
        said = said if named in said else f"{named}: {said}"
        if partial is not None and _kept(partial):
            said += f" (what is done is kept in {partial.folder}: go on with --resume)"
        return Result(
            source,
            target,
            "failed",
            said,
            time.perf_counter() - started,
            lost=isinstance(error, DeviceLostError),
        )
    finally:
        if partial is not None:
            with suppress(CareError):
                partial.commit()
            partial.close()
    notes = [partial.note] if partial is not None and partial.note else []
    notes += [str(w.message) for w in caught]
    if restored.saturated:
        notes.append(
            f"{restored.saturated} pixels lie outside {restored.image.dtype} and were "
            "clipped: give --dtype float32 to keep them"
        )
    return Result(
        source,
        target,
        "done",
        seconds=time.perf_counter() - started,
        image={
            "axes": restored.axes,
            "shape": list(restored.images[restored.main].pixels.shape),
            "dtype": str(restored.images[restored.main].pixels.dtype),
        },
        saturated=restored.saturated,
        blank=restored.blank,
        flagged=restored.flagged,
        flag=restored.provenance.get("flagged"),
        files=tuple(dict.fromkeys(places.values())),
        notes=tuple(notes),
    )


def _restored(
    restorer: Restorer | Mixed,
    source: Place,
    target: Path,
    chosen: Options,
    progress: Callable[[int, int], None] | None,
    partial: Partial | None,
) -> Restored:
    """Restore an image into memory, or tile by tile into files."""
    room = Scratch(room_for(target))
    image, fitted = _read(restorer, source, chosen, room)
    found = fitted(
        _together(restorer, _checked(image, chosen, target), chosen, room),
        normalize=chosen.normalize,
        normalize_over=chosen.normalize_over,
        tile=chosen.tile,
        dtype=chosen.dtype,
        factor=chosen.factor,
        outputs=chosen.outputs,
        trust=chosen.trust,
        empty=room if partial is None else partial.empty,
        progress=progress,
        ledger=None if partial is None else Part(partial),
    )
    images = {
        name: replace(image, pixels=lazy.held(image.pixels))
        for name, image in found.images.items()
    }
    return replace(found, images=images)


def _head(
    restorer: Restorer | Mixed, source: Place, chosen: Options
) -> dict[str, Any] | None:
    """Say what decides the result; of standard input, nobody can."""
    if source == PIPE:
        return None
    options = replace(chosen, resume=False, overwrite=False)
    try:
        facts = restorer.provenance
        return identity.head(source, facts, repr(options), chosen.inputs)
    except OSError:  # its reader says what is wrong with it
        return None


def _kept(partial: Partial) -> bool:
    with suppress(CareError):
        partial.commit()
    return partial.kept and partial.folder.is_dir()


def _read(
    restorer: Restorer | Mixed, source: Place, chosen: Options, room: Scratch
) -> tuple[Image, Restorer | Mixed]:
    """Read what is selected, and no channel that has no model."""
    selection = chosen.selection
    found = _source(restorer, source, chosen)
    if isinstance(restorer, Mixed):
        restorer, selection = restorer.fitted(found, selection)
    part = selection.of(found)
    # Draws become time points, where there is but one.
    part = part.without("ST") if chosen.trust.samples else part
    return _image(part, room), restorer


def _together(
    restorer: Restorer | Mixed, image: Image, chosen: Options, room: Scratch
) -> Image | dict[str, Image]:
    """Read the same part of the images of further inputs, if there are any."""
    if not chosen.inputs:
        return image
    others = {
        name: _image(chosen.selection.of(_source(restorer, place, chosen)), room)
        for name, place in chosen.inputs.items()
    }
    return {_specs(restorer)[0].input.id: image, **others}


def _source(restorer: Restorer | Mixed, place: Place, chosen: Options) -> Source:
    return reading.source(
        place,
        chosen.axes,
        series=chosen.selection.series,
        prefer_z=any("Z" in spec.input.letters for spec in _specs(restorer)),
    )


def _image(part: Source, room: Scratch) -> Image:
    """Read an image, or see one that is large as if it had been read."""
    if part.nbytes < room.large:
        image = part.read(room)
        # A map would end the process if somebody cut the file short.
        return replace(image, pixels=np.array(image.pixels, subok=False))
    if part.across:  # else the whole file would be read for every plane
        return part.turned(room)
    return part.image(lazy.view(Cached(part)))


def _specs(restorer: Restorer | Mixed) -> list[Spec]:
    return restorer.specs if isinstance(restorer, Mixed) else [restorer.spec]


def _checked(image: Image, chosen: Options, target: Path) -> Image:
    """Refuse what could be restored, but not written."""
    if not holds(target, image.axes):
        msg = (
            f"expected an image without samples (S) or without time (T) for {target}, "
            f"found axes {image.axes}: write it as .npy, or restore its samples one by "
            "one"
        )
        raise AxesError(msg)
    if chosen.trust.samples and {"S", "T"} & set(image.axes):
        msg = (
            "random draws are written as time points, which the image has already "
            f"(axes {image.axes}): draw from one time point, or in Python"
        )
        raise OptionError(msg)
    return image
