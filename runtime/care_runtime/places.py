"""Places: the files of a restoration, before and after there is something in them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from care_runtime import files, identity, saving
from care_runtime.errors import FileError, OptionError
from care_runtime.npy import PIPE
from care_runtime.output import SAMPLES
from care_runtime.overlap import Read
from care_runtime.readout import Draw
from care_runtime.writing import files_of, require_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from care_runtime.choice import Options
    from care_runtime.reading import Place
    from care_runtime.spec import Spec


def room_for(target: Path) -> Path:
    """Name the folder where large images lie while they are restored."""
    return Path(tempfile.gettempdir()) if target == PIPE else target.parent


def check(
    spec: Spec,
    sources: Sequence[Place],
    targets: Sequence[Path],
    chosen: Options,
    others: Sequence[Place] = (),
) -> None:
    """Refuse a batch of which one image would replace another, or a source.

    `others` are images of further inputs.

    Raises
    ------
    OptionError
        With the file that would be lost.
    """
    taken: dict[Path, Place] = {}
    read = Read.of((*sources, *others))
    for file, target in zip(sources, targets, strict=True):
        for place in set(named(spec, target, chosen).values()):
            read.require_apart(place)
            if place in taken:
                msg = (
                    f"images made of {taken[place]} and {file} would both go to "
                    f"{place}: restore them into folders of their own"
                )
                raise OptionError(msg)
            taken[place] = file


def named(spec: Spec, target: Path, chosen: Options) -> dict[str, Path]:
    """Decide where the images of one file go."""
    readouts = chosen.trust.readouts(spec)
    made = [r.id for r in readouts if not isinstance(r, Draw)]
    samples = [SAMPLES] if chosen.trust.samples else []
    ids = [*dict.fromkeys(chosen.outputs), *made, *samples]
    return saving.places(target, ids, join=chosen.join)


def require(
    places: Mapping[str, Path], chosen: Options, number: str | None = None
) -> None:
    """Refuse places that are taken, or where nothing can be made.

    Parameters
    ----------
    places, chosen
        Where images go, and how.
    number
        What the same restoration is known by: one that goes on replaces what it wrote.

    Raises
    ------
    FileError
        With the place.
    OptionError
        If the kind of file has not the form that is wished.
    """
    for place in places.values():
        taken = [file for file in files_of(place) if file.exists() and file != PIPE]
        ours = chosen.resume and number is not None and _said(place, places) == number
        if taken and not (chosen.overwrite or ours):
            other = " (it is of another source, model or option)" * chosen.resume
            msg = f"{taken[0]} exists already{other}: give --overwrite to replace it"
            raise FileError(msg)
        require_place(place, chosen.form)


def are_done(places: Mapping[str, Path], number: str) -> bool:
    """Tell whether all images are there, made of the same in the same way."""
    found = dict.fromkeys(places.values())
    return all(f.exists() and _said(f, places) == number for f in found)


def _said(place: Path, places: Mapping[str, Path]) -> str | None:
    """Read which restoration an image is of; a movie is of the stack it shows."""
    return identity.written(places[SAMPLES] if place.suffix == ".gif" else place)


def sweep(places: Mapping[str, Path]) -> None:
    """Remove what a run that was killed left while it wrote its files."""
    for place in dict.fromkeys(places.values()):
        for file in files_of(place) if place != PIPE else ():
            files.sweep(file)
