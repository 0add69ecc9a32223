"""Batch: files in, files out, one result for each."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from care_runtime import options, saving, tiff
from care_runtime.care import Normalization
from care_runtime.errors import (
    BlankImageWarning,
    CareError,
    FactorWarning,
    FileError,
    OptionError,
    SeriesWarning,
)
from care_runtime.files import require_place
from care_runtime.output import SAMPLES
from care_runtime.readout import Draw
from care_runtime.scratch import Scratch
from care_runtime.trust import Trust, given

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from care_runtime.image import Image
    from care_runtime.options import TileSize
    from care_runtime.restore import Restorer
    from care_runtime.spec import Spec

SUFFIXES = (".tif", ".tiff")

DTYPES = ("float32", "uint8", "int8", "uint16", "int16", "uint32", "int32")
"""Types that a TIFF file keeps as they are."""


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

    def __post_init__(self) -> None:
        options.read_normalization(self.normalize, Normalization())
        options.read_tile(self.tile, {})
        if self.dtype not in ("auto", *DTYPES):
            msg = f"expected a type auto, {', '.join(DTYPES)}, found {self.dtype!r}"
            raise OptionError(msg)

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

    source: Path
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


def sources(inputs: Sequence[Path]) -> list[Path]:
    """List the image files that are named, in folders in order of their names.

    Raises
    ------
    FileError
        If a folder holds no TIFF file.
    """
    files = []
    for path in inputs:
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
        if not found:
            msg = f"the folder {path} holds no {' or '.join(SUFFIXES)} file"
            raise FileError(msg)
        files += found
    return files


def targets(files: Sequence[Path], out: Path) -> list[Path]:
    """Decide where each restoration goes: a file for a single image, else a folder.

    Raises
    ------
    FileError
        If two would go to one place, or one would replace its own source.
    """
    named = out.suffix.lower() in SUFFIXES and not out.is_dir()
    if named and len(files) > 1:
        msg = f"{out} is a file, but there are {len(files)} images: name a folder"
        raise FileError(msg)
    places = [out if named else out / file.name for file in files]
    if len(set(places)) < len(places):
        twice = next(p for p in places if places.count(p) > 1)
        msg = f"two images would go to {twice}: restore them into folders of their own"
        raise FileError(msg)
    for file, place in zip(files, places, strict=True):
        if place.exists() and file.exists() and place.samefile(file):
            msg = (
                f"{place} would replace the image it is made from: name another output"
            )
            raise FileError(msg)
    return places


def run(
    restorer: Restorer,
    source: Path,
    target: Path,
    chosen: Options,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Restore one file; what goes wrong is told in the result."""
    started = time.perf_counter()
    try:
        places = _places(restorer, target, chosen)
        needs_z = "Z" in restorer.spec.input.letters
        with warnings.catch_warnings(record=True) as caught:
            for kind in (BlankImageWarning, FactorWarning, SeriesWarning):
                warnings.simplefilter("always", kind)
            image = tiff.read(source, chosen.axes, prefer_z=needs_z)
            restored = restorer(
                _checked(image, chosen),
                normalize=chosen.normalize,
                tile=chosen.tile,
                dtype=chosen.dtype,
                factor=chosen.factor,
                outputs=chosen.outputs,
                trust=chosen.trust,
                empty=Scratch(target.parent),
                progress=progress,
            )
        saving.save(restored, places, join=chosen.join)
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


def check(
    spec: Spec, files: Sequence[Path], targets: Sequence[Path], chosen: Options
) -> None:
    """Refuse a batch of which one image would replace another, or a source.

    Raises
    ------
    FileError
        With the file that would be lost.
    """
    taken: dict[Path, Path] = {}
    sources = {file.resolve(): file for file in files}
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


def _places(restorer: Restorer, target: Path, chosen: Options) -> dict[str, Path]:
    """Decide where images go, and refuse places that are taken."""
    places = _named(restorer.spec, target, chosen)
    for place in places.values():
        if place.exists() and not chosen.overwrite:
            msg = f"{place} exists already: give --overwrite to replace it"
            raise FileError(msg)
        require_place(place)
    return places


def _checked(image: Image, chosen: Options) -> Image:
    """Refuse what could be restored, but not written."""
    if chosen.trust.samples and {"S", "T"} & set(image.axes):
        msg = (
            "random draws are written as time points, which the image has already "
            f"(axes {image.axes}): draw from one time point, or in Python"
        )
        raise OptionError(msg)
    return image
