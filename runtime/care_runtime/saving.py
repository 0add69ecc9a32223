"""Saving: the images of a restoration, each in its file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from care_runtime import lazy, movie, writing
from care_runtime.axes import canonical
from care_runtime.errors import OptionError
from care_runtime.image import AXES, Look
from care_runtime.npy import PIPE
from care_runtime.output import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from care_runtime.form import Form
    from care_runtime.image import Image
    from care_runtime.output import Empty
    from care_runtime.restored import Restored

SUFFIXES = (
    ".ome.tif",
    ".ome.tiff",
    ".tif",
    ".tiff",
    ".npy",
    ".ome.zarr",
    ".zarr",
)


OTHERS = {".npy": ".npy", ".ome.zarr": ".ome.zarr", ".zarr": ".zarr"}
"""Kinds in which further images follow the first; with TIFF, they are OME-TIFF."""


def places(target: Path, ids: Sequence[str], *, join: bool) -> dict[str, Path]:
    """Decide where each image goes: the first to the target, others beside it.

    Parameters
    ----------
    target
        File of the first image.
    ids
        Of all images, the first one first.
    join
        Whether all but the samples become channels of one file.

    Raises
    ------
    OptionError
        If several images would go to standard output.
    """
    name = target.name
    if target == PIPE and len(set(ids) - {SAMPLES}) + (SAMPLES in ids) > 1:
        msg = f"only one image goes to standard output, but there are {', '.join(ids)}"
        raise OptionError(msg)
    suffix = next((s for s in SUFFIXES if name.lower().endswith(s)), "")
    stem = name[: len(name) - len(suffix)]
    found = {}
    for number, each in enumerate(ids):
        beside = target.with_name(f"{stem}_{each}{OTHERS.get(suffix, '.ome.tif')}")
        joined = join and each != SAMPLES
        found[each] = target if number == 0 or joined else beside
    if SAMPLES in found:
        found["movie"] = target.with_name(f"{stem}_{SAMPLES}.gif")
    return found


def save(
    restored: Restored,
    where: Mapping[str, Path],
    *,
    join: bool,
    form: Form | None = None,
    empty: Empty = np.empty,
) -> None:
    """Write all images of a restoration, the first one last.

    Parameters
    ----------
    restored
        What was restored.
    where
        What `places` decided.
    join
        Whether all but the samples become channels of one file.
    form
        Compression and pyramid.
    empty
        Makes the array of images that are joined.

    Raises
    ------
    FileError, AxesError, OptionError
        If an image cannot be written, or images of several shapes cannot be joined.
    """
    images = dict(restored.images)
    if join:
        samples = {SAMPLES: images.pop(SAMPLES)} if SAMPLES in images else {}
        images = {restored.main: joined(images, empty), **samples}
    # The main image is there only if all others are.
    for name in reversed(images):
        facts = restored.provenance
        writing.write(where[name], images[name], description=facts, form=form)
        if name == SAMPLES:
            movie.write_gif(where["movie"], movie.frames(images[name]))


def joined(images: Mapping[str, Image], empty: Empty = np.empty) -> Image:
    """Lay images side by side as float32 channels, which have their names.

    Raises
    ------
    OptionError
        If they differ in axes or size.
    """
    first = next(iter(images.values()))
    canonicals = [canonical(image.pixels, image.axes) for image in images.values()]
    found = {view.shape[:2] + view.shape[3:] for view in canonicals}
    if len(found) > 1:
        shapes = ", ".join(f"{k} {v.axes} {v.pixels.shape}" for k, v in images.items())
        msg = f"only images of one size become channels of one file, found {shapes}"
        raise OptionError(msg)
    sizes = list(canonicals[0].shape)
    sizes[2] = sum(view.shape[2] for view in canonicals)
    pixels = empty(tuple(sizes), np.dtype(np.float32))
    names, start = [], 0
    for name, view in zip(images, canonicals, strict=True):
        count = view.shape[2]
        lazy.copy(view, pixels[:, :, start : start + count])
        start += count
        known = images[name].channels
        if count == 1:
            names.append(name)
        elif len(known) == count:
            names += [f"{channel} {name}" for channel in known]
        else:
            names += [f"{name} {i}" for i in range(count)]
    kept = [i for i, a in enumerate(AXES) if a in first.axes or a == "C"]
    axes = "".join(AXES[i] for i in kept)
    shape = [pixels.shape[i] for i in kept]
    return replace(
        first,
        pixels=pixels.reshape(shape),
        axes=axes,
        channels=tuple(names),
        look=Look(fps=first.look.fps),
    )
