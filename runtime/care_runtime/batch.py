"""Batch: files in, files out, one result for each."""

from __future__ import annotations

import tempfile
import time
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from care_runtime import options, reading, saving
from care_runtime.care import Normalization
from care_runtime.errors import (
    AxesError,
    BlankImageWarning,
    CareError,
    ChannelWarning,
    FactorWarning,
    FileError,
    OptionError,
    SeriesWarning,
)
from care_runtime.form import Form
from care_runtime.mixed import Mixed
from care_runtime.npy import PIPE
from care_runtime.output import SAMPLES
from care_runtime.readout import Draw
from care_runtime.scratch import Scratch
from care_runtime.selection import Selection
from care_runtime.trust import Trust, given
from care_runtime.writing import files_of, holds, require_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from care_runtime.image import Image
    from care_runtime.options import TileSize
    from care_runtime.reading import Place
    from care_runtime.restore import Restorer
    from care_runtime.spec import Spec

DTYPES = ("float32", "uint8", "int8", "uint16", "int16", "uint32", "int32")
"""Types that files of every kind keep as they are."""

NOTED = (BlankImageWarning, ChannelWarning, FactorWarning, SeriesWarning)
"""Warnings that become notes of a result."""


@dataclass(frozen=True, slots=True)
class Options:
    """How files are restored; see `Restorer` for the meaning of each.

    Raises
    ------
    OptionError
        If one of them means nothing, before any file is opened.
    """

    axes: str | None = None
    normalize: str = "auto"
    tile: TileSize = None
    dtype: str = "auto"
    factor: float | None = None
    outputs: tuple[str, ...] = ("mean",)
    trust: Trust = field(default_factory=Trust)
    join: bool = False
    overwrite: bool = False
    normalize_over: str | None = None
    selection: Selection = field(default_factory=Selection)
    form: Form = field(default_factory=Form)

    def __post_init__(self) -> None:
        options.read_normalization(self.normalize, Normalization(), self.normalize_over)
        options.read_tile(self.tile, {})
        if self.dtype not in ("auto", *DTYPES):
            msg = f"expected a type auto, {', '.join(DTYPES)}, found {self.dtype!r}"
            raise OptionError(msg)

    def meant(self, spec: Spec) -> Options:
        """Return what is meant for a model whose main output has another name."""
        known = [tensor.id for tensor in spec.outputs]
        if self.outputs == ("mean",) and "mean" not in known:
            return replace(self, outputs=(known[0],))
        return self

    def needs(self, spec: Spec) -> list[str]:
        """Name the outputs of a model that have to be computed.

        Raises
        ------
        OptionError
            If the model cannot give what is asked for.
        """
        asked = [readout.id for readout in given(spec, self.outputs)]
        return [*asked, *self.trust.needs(spec)]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file.

    Parameters
    ----------
    source, target
        Image read and image written.
    status
        ``"done"`` or ``"failed"``.
    error
        Why it failed, in a line.
    seconds
        From opening the one file to closing the other.
    image
        Axes, shape and type of the restoration.
    saturated, blank
        Pixels that were clipped, frames that were returned unchanged.
    flagged, flag
        Fraction of the pixels that are not to be trusted, and that in words.
    files
        All that were written.
    notes
        Warnings, a line each.
    """

    source: Place
    target: Path
    status: str
    error: str | None = None
    seconds: float = 0.0
    image: Mapping[str, Any] | None = None
    saturated: int = 0
    blank: int = 0
    flagged: float | None = None
    flag: str | None = None
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def run(
    restorer: Restorer | Mixed,
    source: Place,
    target: Path,
    chosen: Options,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Restore one file; what goes wrong is told in the result."""
    started = time.perf_counter()
    try:
        places = _places(restorer, target, chosen)
        room = Scratch(room_for(target))
        with warnings.catch_warnings(record=True) as caught:
            for kind in NOTED:
                warnings.simplefilter("always", kind)
            image, fitted = _read(restorer, source, chosen, room)
            restored = fitted(
                _checked(image, chosen, target),
                normalize=chosen.normalize,
                normalize_over=chosen.normalize_over,
                tile=chosen.tile,
                dtype=chosen.dtype,
                factor=chosen.factor,
                outputs=chosen.outputs,
                trust=chosen.trust,
                empty=room,
                progress=progress,
            )
        saving.save(restored, places, join=chosen.join, form=chosen.form)
    except CareError as error:
        line = " ".join(str(error).split())
        line = line if str(source) in line else f"{source}: {line}"
        return Result(source, target, "failed", line, time.perf_counter() - started)
    notes = [str(w.message) for w in caught]
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
            "shape": list(restored.image.shape),
            "dtype": str(restored.image.dtype),
        },
        saturated=restored.saturated,
        blank=restored.blank,
        flagged=restored.flagged,
        flag=restored.provenance.get("flagged"),
        files=tuple(dict.fromkeys(places.values())),
        notes=tuple(notes),
    )


def room_for(target: Path) -> Path:
    """Name the folder where large images lie while they are restored."""
    return Path(tempfile.gettempdir()) if target == PIPE else target.parent


def check(
    spec: Spec, files: Sequence[Place], targets: Sequence[Path], chosen: Options
) -> None:
    """Refuse a batch of which one image would replace another, or a source.

    Raises
    ------
    FileError
        With the file that would be lost.
    """
    taken: dict[Path, Place] = {}
    read = [file for file in files if isinstance(file, Path) and file != PIPE]
    sources = {file.resolve() for file in read}
    for file, target in zip(files, targets, strict=True):
        for place in set(_named(spec, target, chosen).values()):
            if place.resolve() in sources:
                msg = f"{place} would replace an image to restore: name another output"
                raise FileError(msg)
            if place in taken:
                msg = (
                    f"images made of {taken[place]} and {file} would both go to "
                    f"{place}: restore them into folders of their own"
                )
                raise FileError(msg)
            taken[place] = file


def _named(spec: Spec, target: Path, chosen: Options) -> dict[str, Path]:
    """Decide where the images of one file go."""
    readouts = chosen.trust.readouts(spec)
    made = [r.id for r in readouts if not isinstance(r, Draw)]
    samples = [SAMPLES] if chosen.trust.samples else []
    ids = [*dict.fromkeys(chosen.outputs), *made, *samples]
    return saving.places(target, ids, join=chosen.join)


def _read(
    restorer: Restorer | Mixed, source: Place, chosen: Options, room: Scratch
) -> tuple[Image, Restorer | Mixed]:
    """Read what is selected, and no channel that has no model."""
    selection = chosen.selection
    found = reading.source(
        source,
        chosen.axes,
        series=selection.series,
        prefer_z=any("Z" in spec.input.letters for spec in _specs(restorer)),
    )
    if isinstance(restorer, Mixed):
        restorer, selection = restorer.fitted(found, selection)
    return selection.of(found).read(room), restorer


def _specs(restorer: Restorer | Mixed) -> list[Spec]:
    return restorer.specs if isinstance(restorer, Mixed) else [restorer.spec]


def _places(
    restorer: Restorer | Mixed, target: Path, chosen: Options
) -> dict[str, Path]:
    """Decide where images go, and refuse places that are taken."""
    places = _named(_specs(restorer)[0], target, chosen)
    for place in places.values():
        taken = [file for file in files_of(place) if file.exists() and file != PIPE]
        if taken and not chosen.overwrite:
            msg = f"{taken[0]} exists already: give --overwrite to replace it"
            raise FileError(msg)
        require_place(place, chosen.form)
    return places


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
