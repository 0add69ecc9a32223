"""Finding: the images that are named, and the places where restorations go."""

from __future__ import annotations

import glob
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from care_runtime import files, npy, omeset
from care_runtime.errors import FileError, OptionError
from care_runtime.overlap import Read
from care_runtime.reading import SUFFIXES, TIFFS, ZARR, kind
from care_runtime.vendor import PLUGINS
from care_runtime.writing import UNWRITTEN, WRITTEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from care_runtime.reading import Place


def sources(inputs: Sequence[Place]) -> list[Place]:
    """List the images that are named, in folders and globs in order of their names.

    Of the files of an OME-TIFF set, which hold one image together, the first stands for
    all. One that is named twice counts once. A glob that nothing fits stands for a file
    that is missing if there are images beside it.

    Raises
    ------
    FileError
        If a folder that is named holds no image, nothing at all is found, or a folder
        may not be looked at.
    """
    lists = [_found(place) for place in inputs]
    if inputs and not any(lists):
        msg = f"expected images that fit {inputs[0]}, found none: check the folder"
        raise FileError(msg)
    known: dict[Place, Place] = {}
    for place, inside in zip(inputs, lists, strict=True):
        for each in [place] if inside is None else inside:
            known.setdefault(each if isinstance(each, str) else each.absolute(), each)
    found = list(known.values())
    taken: set[Place] = set()
    firsts = []
    for place in found:
        if place in taken:
            continue
        firsts.append(place)
        if isinstance(place, Path) and len(found) > 1:
            taken |= set(omeset.files(place)) - {place}
    return firsts


def _found(place: Place) -> list[Place] | None:
    """List what is named by one word; None where nothing fits a glob."""
    if isinstance(place, str) or place == npy.PIPE:
        return [place]
    if not files.exists(place) and any(mark in str(place) for mark in "*?["):
        folder = str(place.parent)
        known = glob.escape(folder) if files.is_folder(place.parent) else folder
        pattern = str(Path(known, place.name))
        matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
        # A folder without images was not meant, but that of another kind of data.
        return [each for m in matches for each in _inside(Path(m))] if matches else None
    found = _inside(place)
    if not found:
        msg = f"the folder {place} holds no image; known are {', '.join(SUFFIXES)}"
        raise FileError(msg)
    return found


def _inside(place: Path) -> list[Place]:
    """List the images of a folder; a file, and an OME-Zarr, is one itself."""
    if not files.is_folder(place) or kind(place) == "zarr":
        return [place]
    try:
        inside = sorted(place.iterdir())
    except OSError as error:
        msg = (
            f"expected a folder that can be read, found {place} ({error.strerror}): "
            "check its permissions"
        )
        raise FileError(msg) from error
    return [
        p for p in inside if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")
    ]


def name_of(place: Place) -> str:
    """Return the name of an image without its folder."""
    if isinstance(place, Path):
        return "standard input" if place == npy.PIPE else place.name
    return place.rstrip("/").split("?")[0].rsplit("/", 1)[-1]


def targets(sources: Sequence[Place], out: Path) -> list[Path]:
    """Decide where each restoration goes: a file for a single image, else a folder.

    In a folder, images keep their names and kinds; those of microscopes, and TIFF of
    single programs, become OME-TIFF.

    Raises
    ------
    OptionError
        If two would go to one place, one would replace its own source or lie in it, or
        the name is that of a kind of image that is not written.
    """
    named = out == npy.PIPE or out.suffix.lower() in WRITTEN
    named = named and (out.suffix.lower() in ZARR or not files.is_folder(out))
    strange = out.suffix.lower() in UNWRITTEN and not files.is_folder(out)
    if strange and not named:
        msg = (
            f"expected a folder, or a name that ends in {', '.join(WRITTEN)}, found "
            f"{out}: images of the kind {out.suffix} are not written"
        )
        raise OptionError(msg)
    if named and len(sources) > 1:
        msg = f"{out} is a file, but there are {len(sources)} images: name a folder"
        raise OptionError(msg)
    names = [_target_name(file) for file in sources]
    counts = Counter(names)
    for number, file in enumerate(sources):
        if _renamed(file) and counts[names[number]] > 1:  # beside cell.ome.tif
            names[number] = f"{name_of(file)}.ome.tif"
    places = [out if named else out / name for name in names]
    if len(set(places)) < len(places):
        twice = next(p for p in places if places.count(p) > 1)
        msg = f"two images would go to {twice}: restore them into folders of their own"
        raise OptionError(msg)
    for file, place in zip(sources, places, strict=True):
        Read.of([file]).require_apart(place)
    return places


def _target_name(file: Place) -> str:
    if file == npy.PIPE:
        return "restored.npy"
    name = name_of(file)
    suffix = Path(name).suffix.lower()
    if _renamed(file):
        stem = name[: -len(suffix)]
        return f"{stem.removesuffix('.ome')}.ome.tif"
    if suffix in WRITTEN:
        return name
    return f"{name}.zarr" if kind(file) == "zarr" else name


def _renamed(file: Place) -> bool:
    """Tell whether the result of an image has another ending."""
    return Path(name_of(file)).suffix.lower() in (*PLUGINS, *TIFFS)
